"""The interface of a database, and `open_database`, the only way to open one.

SQL names its values `:name`, in lower case. Times go in and come out as text in the form of
`watchbot.moment`; JSON goes in and comes out as text.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from watchbot.errors import SettingError
from watchbot.settings.base import describe
from watchbot.sql.dialect import Dialect, Row


class Transaction(Protocol):
    """A transaction: its statements take effect together. Each raises `DatabaseError`."""

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        """The rows of a query, or of a statement with RETURNING."""
        ...

    async def execute(self, sql: str, **values: Any) -> int:
        """The number of rows that a statement wrote."""
        ...

    async def script(self, sql: str) -> None:
        """Runs several statements, which take no values."""
        ...


class Database(Protocol):
    """An open database. Every call raises `DatabaseError`; retry if it is `transient`."""

    @property
    def dialect(self) -> Dialect:
        """The SQL in which this kind of database differs from others."""
        ...

    @property
    def shown_url(self) -> str:
        """The database's URL, without a password."""
        ...

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        """The rows of one read-only query."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Commits on leaving, undoes all on an error.

        SQLite runs one transaction at a time; others wait for it. PostgreSQL runs several: lock
        rows (`Dialect.lock`, `Dialect.lock_free`) where that matters.
        """
        ...


@asynccontextmanager
async def open_database(
    url: str, *, connections: int = 10, create: bool = True, option: str = "database"
) -> AsyncIterator[Database]:
    """Opens the database at `url` (`sqlite:///FILE` or `postgresql://...`); closes it on leaving.

    Opens at most `connections` to PostgreSQL. Makes a missing SQLite file only with `create`.
    Raises `SettingError`, naming `option`, for a URL of no database, `MissingExtra`, and
    `DatabaseError` when the database cannot be opened.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from watchbot.sql.sqlite import open_sqlite

        async with open_sqlite(url, create, option) as database:
            yield database
    elif scheme in {"postgres", "postgresql"}:
        from watchbot.sql.postgres import open_postgres

        async with open_postgres(url, connections, option) as postgres:
            yield postgres
    else:
        # The error does not repeat the URL: it may hold a password.
        raise SettingError(
            describe(option),
            "must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST:5432/NAME",
        )
