"""A database that fails before, at and after any statement, and before and after a commit."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.simulation.inline import SHOWN_URL, Statements
from tests.simulation.jumping import elapse
from tests.simulation.record.history import POISON
from tests.simulation.record.weather import Weather
from watchbot.errors import DatabaseDown, DataRefused
from watchbot.sql.dialect import SQLITE, Row

LONGEST_S = 4


class Store:
    """The database itself: one transaction at a time. `committed` hears who has committed."""

    def __init__(
        self, connection: sqlite3.Connection, weather: Weather, committed: Callable[[str], None]
    ) -> None:
        self.connection, self.weather, self.committed = connection, weather, committed
        self.turn = asyncio.Lock()


class SimulatedDatabase:
    """A `Database`: the connection of one recorder, until that is dead."""

    dialect = SQLITE
    shown_url = SHOWN_URL

    def __init__(self, store: Store, who: str) -> None:
        self._store, self._who = store, who
        self.cut = False  # its process is dead

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        async with self.transaction() as transaction:
            return await transaction.fetch(sql, **values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["_Unsure"]:
        weather, connection = self._store.weather, self._store.connection
        async with self._store.turn:
            self._reach()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield _Unsure(Statements(connection), weather, self._reach)
                self._reach()
                if weather.happens("refused"):
                    raise DatabaseDown(SHOWN_URL, "not committed")
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            self._store.committed(self._who)
            if weather.happens("unanswered"):
                raise DatabaseDown(SHOWN_URL, "committed, but not answered")

    def _reach(self) -> None:
        if self.cut or "database" in self._store.weather.away:
            raise DatabaseDown(SHOWN_URL, "no database")


class _Unsure:
    """A transaction whose statements may fail, done or not."""

    def __init__(self, statements: Statements, weather: Weather, reach: Callable[[], None]) -> None:
        self._statements, self._weather, self._reach = statements, weather, reach

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        await self._before(sql, values)
        rows = await self._statements.fetch(sql, **values)
        self._after()
        return rows

    async def execute(self, sql: str, **values: Any) -> int:
        await self._before(sql, values)
        written = await self._statements.execute(sql, **values)
        self._after()
        return written

    async def script(self, sql: str) -> None:
        await self._statements.script(sql)

    async def _before(self, sql: str, values: dict[str, Any]) -> None:
        if self._weather.happens("stuck"):
            await elapse(self._weather.chance.uniform(0, LONGEST_S))
        self._reach()
        if self._weather.happens("broken"):
            raise DatabaseDown(SHOWN_URL, "not done")
        if POISON in str(values.get("rows")) and "ecs_event_reject" not in sql:
            raise DataRefused(SHOWN_URL, "it is poison")

    def _after(self) -> None:
        self._reach()
        if self._weather.happens("torn"):
            raise DatabaseDown(SHOWN_URL, "done, but the connection is lost")
