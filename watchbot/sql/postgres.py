"""PostgreSQL, through psycopg 3 and its connection pool."""

import functools
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio

from watchbot.errors import (
    DatabaseDown,
    DatabaseError,
    DataRefused,
    MissingExtra,
    SettingError,
)
from watchbot.settings.base import describe
from watchbot.settings.whereabouts import is_unambiguous
from watchbot.sql.dialect import POSTGRES, Row

try:
    import psycopg
    import psycopg_pool
    from psycopg.adapt import Buffer
    from psycopg.adapt import Loader as BaseLoader
    from psycopg.rows import dict_row
    from psycopg.types.string import TextLoader
except ImportError as error:
    raise MissingExtra("postgres", "PostgreSQL") from error

WAIT_S = 10  # most time to wait for a connection of the pool
DEFAULTS = {  # parameters of the connection; the URL may override them
    "application_name": "watchbot",
    "connect_timeout": "5",
    "tcp_user_timeout": "20000",  # ms, until a server that vanished is noticed
}

Connection = psycopg.AsyncConnection[Row]


@asynccontextmanager
async def open_postgres(
    url: str, connections: int, option: str
) -> AsyncIterator["PostgresDatabase"]:
    """Opens the database at `url`, and waits for its first answer."""
    shown_url, conninfo = _where(url, option)
    _Pool.quiet()
    with _named(shown_url):  # the pool would retry in the background, and hide the reason
        first = await psycopg.AsyncConnection.connect(conninfo)
        await first.close()
    pool = psycopg_pool.AsyncConnectionPool(
        conninfo,
        connection_class=Connection,
        kwargs={"autocommit": True, "row_factory": dict_row},
        configure=_configure,
        min_size=1,
        max_size=connections,
        timeout=WAIT_S,
        reconnect_timeout=0,  # tries a server that is down only when a caller asks
        open=False,
    )
    await pool.open()
    try:
        yield PostgresDatabase(shown_url, pool)
    finally:
        with anyio.move_on_after(WAIT_S, shield=True):
            await pool.close()


class PostgresDatabase:
    """A `Database` of a PostgreSQL server."""

    dialect = POSTGRES

    def __init__(
        self, shown_url: str, pool: "psycopg_pool.AsyncConnectionPool[Connection]"
    ) -> None:
        self.shown_url = shown_url
        self._pool = pool

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        async with self._connection() as connection:
            return await PostgresTransaction(connection).fetch(sql, **values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["PostgresTransaction"]:
        async with self._connection() as connection, connection.transaction():
            yield PostgresTransaction(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            with _named(self.shown_url):
                async with self._pool.connection() as connection:
                    yield connection
        except DatabaseDown:
            # After a restart of the server every connection of the pool is dead.
            await self._pool.check()
            raise


class PostgresTransaction:
    """A `Transaction`: statements of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        cursor = await self._connection.execute(_with_percent(sql), values)
        return await cursor.fetchall()

    async def execute(self, sql: str, **values: Any) -> int:
        cursor = await self._connection.execute(_with_percent(sql), values)
        return max(cursor.rowcount, 0)

    async def script(self, sql: str) -> None:
        await self._connection.execute(sql)


class _Moment(BaseLoader):
    """Reads 2026-11-21 03:47:10.123456+00 as 2026-11-21T03:47:10.123Z."""

    def load(self, data: "Buffer") -> str:
        text = bytes(data).decode().removesuffix("+00")
        whole, _, fraction = text.replace(" ", "T", 1).partition(".")
        return f"{whole}.{fraction[:3]:0<3}Z"


class _Pool:
    """Silences the pool's log: callers get an error for each failure, and log that."""

    @staticmethod
    def quiet() -> None:
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


async def _configure(connection: Connection) -> None:
    adapters = connection.adapters
    adapters.register_loader("timestamptz", _Moment)
    adapters.register_loader("json", TextLoader)
    adapters.register_loader("jsonb", TextLoader)
    await connection.execute("SET timezone = 'UTC'; SET datestyle = 'ISO'")


@functools.lru_cache(maxsize=256)
def _with_percent(sql: str) -> str:
    """The statement with `:name` written as `%(name)s`; `::type` stays."""
    return re.sub(r"(?<!:):([a-z_][a-z0-9_]*)", r"%(\1)s", sql.replace("%", "%%"))


def _where(url: str, option: str) -> tuple[str, str]:
    """The URL without its password, and the parameters for libpq."""
    try:
        given = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items()}
        sound = is_unambiguous(url)
    except psycopg.Error:
        sound = False
    if not sound:
        raise SettingError(
            describe(option),
            "is no URL of a PostgreSQL database; write postgresql://USER:PASSWORD@HOST:5432/NAME, "
            "with @ : / [ of the password as %40 %3A %2F %5B",
        )
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or given.get("host", "")
    user = f"{parts.username}@" if parts.username else ""
    shown = f"postgresql://{user}{host}/{given.get('dbname', '')}"
    return shown, psycopg.conninfo.make_conninfo(**{**DEFAULTS, **given})


@contextmanager
def _named(shown_url: str) -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        raise DataRefused(shown_url, "text that is not Unicode") from error
    except psycopg.Error as error:
        raise _kind(error)(shown_url, _one_line(error)) from error
    except psycopg_pool.PoolTimeout as error:
        raise DatabaseDown(shown_url, f"no connection within {WAIT_S} s") from error


def _kind(error: psycopg.Error) -> type[DatabaseError]:
    state = (error.sqlstate or "")[:2]
    if state in {"22", "23", "54"}:  # bad data, a broken constraint, a limit of size or depth
        return DataRefused
    if isinstance(error, psycopg.DataError):  # psycopg itself refuses a value, such as a NUL
        return DataRefused
    if error.sqlstate == "25006":  # read-only: a standby that is about to become the primary
        return DatabaseDown
    if isinstance(error, psycopg.OperationalError):
        return DatabaseDown
    return DatabaseError


def _one_line(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error)
    return " ".join(text.split()).rstrip(".")[:300]
