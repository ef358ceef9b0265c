"""Empty databases for tests: SQLite, and a real PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator

from watchbot import schedule
from watchbot.record import service as record
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate


@contextlib.asynccontextmanager
async def a_record(url: str) -> AsyncIterator[Database]:
    """A database with the tables of `watchbot record`."""
    async with open_database(url) as database:
        await migrate(database, record.COMPONENT, record.PACKAGE)
        yield database


@contextlib.asynccontextmanager
async def a_schedule(url: str) -> AsyncIterator[Database]:
    """A database with the tables of `watchbot schedule`."""
    async with open_database(url) as database:
        await migrate(database, schedule.COMPONENT, schedule.PACKAGE)
        yield database
