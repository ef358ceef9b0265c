"""SQLite in memory, called inline: anything happens between two transactions, nothing within."""

import functools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.simulation.jumping import JumpingLoop, run
from tests.simulation.schedule.real import (
    SQLITE,
    DatabaseDown,
    DatabaseError,
    Row,
    tables,
)

SHOWN_URL = "sqlite:///memory"
Pause = Callable[[], Awaitable[None]]


class InlineDatabase:
    """A `Database`. `pause` passes before each transaction, `answer` after it; both may raise.

    `refused` says whether a commit fails, `unanswered` whether it succeeds and nobody hears of it.
    """

    dialect = SQLITE
    shown_url = SHOWN_URL

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.pause: Pause = _none
        self.answer: Pause = _none
        self.refused: Callable[[], bool] = bool
        self.unanswered: Callable[[], bool] = bool

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        await self.pause()
        return await _Statements(self._connection).fetch(sql, **values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["_Statements"]:
        await self.pause()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield _Statements(self._connection)
            if self.refused():
                raise DatabaseDown(SHOWN_URL, "not committed")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        if self.unanswered():
            raise DatabaseDown(SHOWN_URL, "committed, but not answered")
        await self.answer()


class _Statements:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        try:
            cursor = self._connection.execute(sql, values)
        except sqlite3.OperationalError as error:  # as a table of the record, which is not there
            raise DatabaseError(SHOWN_URL, str(error)) from error
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    async def execute(self, sql: str, **values: Any) -> int:
        return max(self._connection.execute(sql, values).rowcount, 0)

    async def script(self, sql: str) -> None:
        statement = ""
        for piece in sql.split(";"):
            statement += piece + ";"
            if sqlite3.complete_statement(statement) and statement.strip() != ";":
                self._connection.execute(statement)
                statement = ""


def connect() -> sqlite3.Connection:
    """A database in memory, without tables."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


async def _none() -> None:
    pass


@functools.cache
def blank() -> bytes:
    connection = connect()
    run(JumpingLoop(1000), tables(InlineDatabase(connection)))
    return connection.serialize()
