"""A database for schedulers: anything happens between two transactions, nothing within."""

import functools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.simulation.inline import SHOWN_URL, Statements, connect
from tests.simulation.jumping import JumpingLoop, run
from tests.simulation.schedule.real import SQLITE, DatabaseDown, Row, tables

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
        return await Statements(self._connection).fetch(sql, **values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Statements]:
        await self.pause()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield Statements(self._connection)
            if self.refused():
                raise DatabaseDown(SHOWN_URL, "not committed")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        if self.unanswered():
            raise DatabaseDown(SHOWN_URL, "committed, but not answered")
        await self.answer()


async def _none() -> None:
    pass


@functools.cache
def blank() -> bytes:
    connection = connect()
    run(JumpingLoop(1000), tables(InlineDatabase(connection)))
    return connection.serialize()
