"""SQLite in memory, called inline: a statement takes no time, and no thread."""

import sqlite3
from typing import Any

from watchbot.errors import DatabaseError
from watchbot.sql.dialect import Row

SHOWN_URL = "sqlite:///memory"


class Statements:
    """The statements of a transaction that is open."""

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
