"""Reads the database's clock."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from watchbot.moment import to_time
from watchbot.sql.database import Database
from watchbot.sql.dialect import Row


class Reader(Protocol):
    """Anything that answers a query: a database or a transaction."""

    async def fetch(self, sql: str, **values: Any) -> list[Row]: ...


Now = Callable[[Reader], Awaitable[datetime]]


def database_clock(database: Database) -> Now:
    """A function that returns a database's time."""

    async def now(reader: Reader) -> datetime:
        (row,) = await reader.fetch(f"SELECT {database.dialect.now} AS now")
        return to_time(row["now"])

    return now
