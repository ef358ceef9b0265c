"""Counts what a question reads, as the database itself tells it: no clock is asked."""

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from watchbot.sql.database import Database
from watchbot.sql.dialect import Row

Question = Callable[[Any], Awaitable[object]]


async def rows_read(database: Database, url: str, question: Question) -> int:
    """The rows of tables and indexes that PostgreSQL reads, or the steps that SQLite makes."""
    counting = _Counting(database, url)
    await question(counting)
    return counting.read


class _Counting:
    """A database that counts, beside answering."""

    def __init__(self, database: Database, url: str) -> None:
        self._database, self._url, self.read = database, url, 0
        self.dialect, self.shown_url = database.dialect, database.shown_url

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        if self.dialect.name == "sqlite":
            self.read += _steps(self._url.removeprefix("sqlite:///"), sql, values)
        else:
            async with self._database.transaction() as transaction:
                # PostgreSQL would scan so few rows as a test has.
                await transaction.execute("SET LOCAL enable_seqscan = off")
                (row,) = await transaction.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", **values)
            (plan,) = json.loads(row["QUERY PLAN"])
            self.read += sum(map(_rows, _nodes(plan["Plan"])))
        return await self._database.fetch(sql, **values)


def _steps(path: str, sql: str, values: Mapping[str, Any]) -> int:
    steps = 0

    def one_more() -> None:
        nonlocal steps
        steps += 1

    connection = sqlite3.connect(path)
    connection.set_progress_handler(one_more, 1)
    connection.execute(sql, values).fetchall()
    connection.close()
    return steps


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _rows(node: Mapping[str, Any]) -> int:
    """The rows that a node reads: those that it gives, and those that it reads in vain."""
    kind = node["Node Type"]
    if "Scan" not in kind or kind in {"Subquery Scan", "Bitmap Heap Scan"}:
        return 0  # it reads what a node below it has counted
    in_vain = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    each = node["Actual Rows"] + sum(node.get(name, 0) for name in in_vain)
    return int(each * node["Actual Loops"])
