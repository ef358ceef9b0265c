"""SQLite, a file on this machine: one connection writes, a few read, calls run in threads."""

import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread

from watchbot.errors import (
    DatabaseDown,
    DatabaseError,
    DatabaseUnwritable,
    DataRefused,
    NoDatabase,
    SettingError,
)
from watchbot.settings.base import describe
from watchbot.sql.dialect import SQLITE, Row

BUSY_S = 10  # most time to wait while another process holds the file
READERS = 4

_LATER = {  # primary codes of temporary faults
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}

Answer = TypeVar("Answer")


@asynccontextmanager
async def open_sqlite(url: str, create: bool, option: str) -> AsyncIterator["SqliteDatabase"]:
    """Opens the database in the file that `url` names; makes a missing file only with `create`."""
    path = _path(url)
    if path is None:
        raise SettingError(describe(option), f"must be sqlite:///FILE, not {url!r}")
    shown_url = f"sqlite:///{path}"
    if not create and not await anyio.Path(path).exists():
        raise NoDatabase(shown_url)
    with ExitStack() as connections:

        def connect(opened: Callable[[str], sqlite3.Connection]) -> sqlite3.Connection:
            return connections.enter_context(closing(opened(path)))

        with _named(shown_url, path):
            writer = await anyio.to_thread.run_sync(connect, _open_writer)
            readers = [connect(_open_reader) for _ in range(READERS)]
        yield SqliteDatabase(shown_url, writer, readers)


class SqliteDatabase:
    """A `Database` in one file."""

    dialect = SQLITE

    def __init__(
        self, shown_url: str, writer: sqlite3.Connection, readers: list[sqlite3.Connection]
    ) -> None:
        self.shown_url = shown_url
        self._writer = SqliteTransaction(shown_url, writer)
        self._writing = anyio.Lock()
        self._readers = readers
        self._free = anyio.Semaphore(len(readers))

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        async with self._free:
            reader = self._readers.pop()
            try:
                return await SqliteTransaction(self.shown_url, reader).fetch(sql, **values)
            finally:
                self._readers.append(reader)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["SqliteTransaction"]:
        async with self._writing:
            # Takes the write lock now: SQLite may refuse it to a transaction that has read already.
            await self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                await self._writer.execute("COMMIT")
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await self._writer.undo()
                raise


class SqliteTransaction:
    """A `Transaction`: the statements of one connection, one at a time."""

    def __init__(self, shown_url: str, connection: sqlite3.Connection) -> None:
        self._shown_url, self._connection = shown_url, connection

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        def call() -> list[Row]:
            cursor = self._connection.execute(sql, values)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

        return await self._run(call)

    async def execute(self, sql: str, **values: Any) -> int:
        return await self._run(lambda: max(self._connection.execute(sql, values).rowcount, 0))

    async def script(self, sql: str) -> None:
        # `executescript` would commit the open transaction.
        def call() -> None:
            for statement in _statements(sql):
                self._connection.execute(statement)

        await self._run(call)

    async def undo(self) -> None:
        """Rolls back, unless SQLite already has."""
        if self._connection.in_transaction:
            await self.execute("ROLLBACK")

    async def _run(self, call: Callable[[], Answer]) -> Answer:
        with _named(self._shown_url):
            return await anyio.to_thread.run_sync(call)


def _path(url: str) -> str | None:
    """The file that a URL names; None for a URL of no file."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = unquote(parts.path).removeprefix("/")
    return None if parts.netloc or parts.query or "\0" in path else path or None


def _open_writer(path: str) -> sqlite3.Connection:
    return _open(
        path,
        "journal_mode = WAL",  # readers do not block the writer
        "synchronous = FULL",  # a committed transaction survives a power cut
        "foreign_keys = ON",
    )


def _open_reader(path: str) -> sqlite3.Connection:
    return _open(path, "query_only = ON")


def _open(path: str, *settings: str) -> sqlite3.Connection:
    with ExitStack() as opened:
        # We begin transactions ourselves; calls come from any thread, one at a time.
        connection = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        opened.callback(connection.close)
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
        opened.pop_all()  # success: keep it open
    return connection


def _statements(sql: str) -> Iterator[str]:
    statement = ""
    for piece in re.split(r"(?<=;)", sql):  # a semicolon may be inside a text or a trigger
        statement += piece
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


@contextmanager
def _named(shown_url: str, path: str = "") -> Iterator[None]:
    """Raises the errors of SQLite as ours; `path` where the file is being opened."""
    try:
        yield
    except (OverflowError, UnicodeEncodeError) as error:
        raise DataRefused(shown_url, str(error)) from error
    except sqlite3.Error as error:
        if path and (problem := _why_not(path, error)):
            raise DatabaseUnwritable(shown_url, problem) from error
        raise _kind(error)(shown_url, str(error)) from error
    except RuntimeError as error:  # the machine has no room for the thread that asks
        raise DatabaseDown(shown_url, str(error)) from error


def _why_not(path: str, error: sqlite3.Error) -> str | None:
    """The reason why the file at `path` cannot be opened or written; None for other errors."""
    if _code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
        return None
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        return "this is a directory, not a file"
    if not os.path.exists(folder):
        return f"there is no directory {folder}"
    if not os.path.isdir(folder):
        return f"{folder} is no directory"
    if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
        return "the file cannot be written"
    return f"the directory {folder} cannot be written"  # SQLite also writes its own files there


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _kind(error: sqlite3.Error) -> type[DatabaseError]:
    if _code(error) in _LATER:
        return DatabaseDown
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError)) or "JSON" in str(error):
        return DataRefused
    return DatabaseError
