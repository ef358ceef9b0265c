"""`watchbot tasks`: runs one query and prints its rows."""

import csv
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from watchbot.errors import DatabaseDown
from watchbot.patience import NoAnswerInTime, waiting
from watchbot.record import answers
from watchbot.record.answers import Filters
from watchbot.record.paging import Page
from watchbot.record.tables import COMPONENT, PACKAGE
from watchbot.settings.record import DatabaseSettings, TasksSettings
from watchbot.sql.database import Database, open_database
from watchbot.sql.dialect import Row
from watchbot.sql.migrate import verify

# The columns of a table of tasks; other answers show all their columns.
_SHOWN = ("task_id", "cluster", "family", "outcome", "last_status", "started_at", "ended_at")

CELL = 200  # characters of a table's cell, at most

Question = Callable[[Database], Awaitable[list[Row]]]


async def ask(settings: DatabaseSettings, question: Question, form: str) -> int:
    """Prints the rows of `question`; returns the exit code.

    `form` is `table` (the main columns), `json` (one object a line) or `csv`.
    """

    async def found() -> list[Row]:
        async with open_database(settings.database, connections=1, create=False) as database:
            await verify(database, COMPONENT, PACKAGE)
            return await question(database)

    try:
        rows = await waiting().answer("the database", found)
    except NoAnswerInTime as fault:
        raise DatabaseDown("of the record", str(fault)) from fault
    _PRINTERS[form](rows)
    return 0


def running(settings: TasksSettings) -> Question:
    """Asks which tasks run now."""
    return lambda database: answers.running(database, _filters(settings), _page(settings))


def at(settings: TasksSettings, time: str) -> Question:
    """Asks which tasks ran at a time."""
    moment = answers.moment(time, datetime.now(UTC))
    return lambda database: answers.at(database, moment, _filters(settings), _page(settings))


def failures(settings: TasksSettings, since: str, by: str) -> Question:
    """Asks how many tasks failed."""
    moment = answers.moment(since, datetime.now(UTC))
    return lambda database: answers.failures(database, moment, by, _filters(settings))


def missed(settings: TasksSettings) -> Question:
    """Asks which tasks have lost events."""
    return lambda database: answers.missed(database, _page(settings))


def instances(settings: TasksSettings) -> Question:
    """Asks for the container instances."""
    return lambda database: answers.instances(database, _page(settings))


def rejects(settings: TasksSettings) -> Question:
    """Asks for the messages that could not be read."""
    return lambda database: answers.rejects(database, _page(settings))


def outcome(name: str) -> Question:
    """Asks how a task ended."""

    async def question(database: Database) -> list[Row]:
        task = await answers.find(database, name)
        if task is None:
            raise answers.unknown(name)
        return [{key: task[key] for key in (*_SHOWN, "stop_code", "stopped_reason")}]

    return question


def history(name: str) -> Question:
    """Asks for every event of a task."""

    async def question(database: Database) -> list[Row]:
        found = await answers.history(database, name)
        if found is None:
            raise answers.unknown(name)
        return list(found.events)

    return question


def _filters(settings: TasksSettings) -> Filters:
    return Filters(
        cluster=settings.cluster,
        family=settings.family,
        group=settings.group,
        started_by=settings.started_by,
        service=settings.service,
    )


def _page(settings: TasksSettings) -> Page:
    return Page(number=settings.page, size=settings.limit, after=settings.after)


def _print_json(rows: Sequence[Row]) -> None:
    for row in rows:
        print(json.dumps(row))


def _print_csv(rows: Sequence[Row]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _print_table(rows: Sequence[Row]) -> None:
    if not rows:
        print("none", file=sys.stderr)
        return
    listed = {"task_arn", *_SHOWN} <= set(rows[0])
    names = list(_SHOWN if listed else rows[0])
    table = [[_cell(row, name) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *table, strict=True)]
    for line in [names, *table]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def _cell(row: Mapping[str, Any], name: str) -> str:
    text = "-" if row[name] is None else str(row[name])
    shown = text if len(text) <= CELL else f"{text[:CELL]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


_PRINTERS: Mapping[str, Callable[[Sequence[Row]], None]] = {
    "table": _print_table,
    "json": _print_json,
    "csv": _print_csv,
}
