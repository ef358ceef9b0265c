"""Migrations: runs numbered SQL files, each once, in order."""

import re
from importlib.resources import files

from watchbot.errors import DatabaseError, DatabaseTooNew
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Dialect

TABLE = """
CREATE TABLE IF NOT EXISTS watchbot_migration (
  component text NOT NULL, number integer NOT NULL, name text NOT NULL,
  PRIMARY KEY (component, number))
"""


async def migrate(database: Database, component: str, package: str) -> list[str]:
    """Brings the tables of `component` up to date; returns the names of the files it ran.

    The files are in the folder `schema/DIALECT` of the Python package, like `0001_tasks.sql`.
    All that are due run in one transaction: a failure changes nothing. Several processes may
    migrate at once. Raises `DatabaseTooNew` when a newer program made the tables.
    """
    scripts = _scripts(package, database.dialect)
    async with database.transaction() as transaction:
        await transaction.fetch(database.dialect.lock_migration)
        await transaction.execute(TABLE)
        done = await _last(transaction, component)
        _refuse_newer(database, component, done, max(scripts))
        due = [number for number in sorted(scripts) if number > done]
        for number in due:
            name, sql = scripts[number]
            await transaction.script(sql)
            await transaction.execute(
                "INSERT INTO watchbot_migration VALUES (:component, :number, :name)",
                component=component,
                number=number,
                name=name,
            )
    return [scripts[number][0] for number in due]


async def verify(database: Database, component: str, package: str) -> None:
    """Raises `DatabaseError` unless the tables exist in a version that this program knows."""
    scripts = _scripts(package, database.dialect)
    try:
        rows = await database.fetch(
            "SELECT max(number) AS number FROM watchbot_migration WHERE component = :component",
            component=component,
        )
    except DatabaseError as error:
        if error.transient:
            raise
        rows = []
    done = rows[0]["number"] if rows else None
    if done is None:
        raise DatabaseError(database.shown_url, f"it has no tables of {component} yet")
    _refuse_newer(database, component, int(done), max(scripts))


def _refuse_newer(database: Database, component: str, done: int, known: int) -> None:
    if done > known:
        raise DatabaseTooNew(
            database.shown_url,
            f"the tables of {component} have version {done}, this program knows {known}",
        )


def _scripts(package: str, dialect: Dialect) -> dict[int, tuple[str, str]]:
    folder = files(package) / "schema" / dialect.name
    return {
        int(found[1]): (file.name, file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (found := re.fullmatch(r"(\d{4})_\w+\.sql", file.name))
    }


async def _last(transaction: Transaction, component: str) -> int:
    (row,) = await transaction.fetch(
        "SELECT coalesce(max(number), 0) AS number FROM watchbot_migration "
        "WHERE component = :component",
        component=component,
    )
    return int(row["number"])
