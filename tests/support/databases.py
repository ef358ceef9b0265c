"""Empty databases for tests: SQLite, and a real PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator

from watchbot.record import tables as record
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate


@contextlib.asynccontextmanager
async def a_record(url: str) -> AsyncIterator[Database]:
    """A database with the tables of `watchbot record`."""
    async with open_database(url) as database:
        await migrate(database, record.COMPONENT, record.PACKAGE)
        yield database
