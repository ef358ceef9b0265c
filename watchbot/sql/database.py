"""The database: what a service asks of it, and the one place that opens it.

SQL names its values `:name`, in lower case, for both kinds of database. Times go in and come out
as text, as `watchbot.moment` writes it. JSON goes in and comes out as text, too.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from watchbot.errors import SettingError
from watchbot.settings.base import describe
from watchbot.sql.dialect import Dialect, Row


class Transaction(Protocol):
    """Statements that take effect together. Each raises `DatabaseError`."""

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        """The rows that a statement gives: a query, or one with RETURNING."""
        ...

    async def execute(self, sql: str, **values: Any) -> int:
        """How many rows a statement wrote."""
        ...

    async def script(self, sql: str) -> None:
        """Runs several statements, which take no values."""
        ...


class Database(Protocol):
    """A database that is open. Every call raises `DatabaseError`; see there what may be retried."""

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks, where the two differ."""
        ...

    @property
    def place(self) -> str:
        """Its URL, without a password."""
        ...

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        """The rows of one query, which changes nothing."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Commits on leaving, undoes all on an error.

        In SQLite one transaction runs at a time, and others wait for it. In PostgreSQL several
        do: lock rows (`FOR UPDATE SKIP LOCKED`) where that matters.
        """
        ...


@asynccontextmanager
async def open_database(
    url: str, *, connections: int = 10, create: bool = True
) -> AsyncIterator[Database]:
    """The database at `url`, closed on leaving: `sqlite:///FILE` or `postgresql://...`.

    `connections` is how many PostgreSQL is asked for at most; without `create`, a file of SQLite
    that is not there is not made. Raises `SettingError` for a URL
    that names no database, `MissingExtra`, and `DatabaseError` when it cannot be opened.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from watchbot.sql.sqlite import open_sqlite

        async with open_sqlite(url, create) as database:
            yield database
    elif scheme in {"postgres", "postgresql"}:
        from watchbot.sql.postgres import open_postgres

        async with open_postgres(url, connections) as postgres:
            yield postgres
    else:
        # Not repeated: what is no URL may still hold a password.
        raise SettingError(
            describe("database"),
            "must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST:5432/NAME",
        )
