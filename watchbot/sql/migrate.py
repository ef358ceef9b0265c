"""Migrations: runs numbered SQL files, each once, in order.

A file may say on a line of its own which programs still work with its tables, by the number of the
last file that they know: `-- oldest program: 3`. Without that line no older program does. So two
versions can share a database while one replaces the other, and the old one can come back.
"""

import logging
import re
from importlib.resources import files

from watchbot.errors import DatabaseError, DatabaseTooNew, DatabaseTooOld
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Dialect

log = logging.getLogger(__name__)

TABLES = """
CREATE TABLE IF NOT EXISTS watchbot_migration (
  component text NOT NULL, number integer NOT NULL, name text NOT NULL,
  PRIMARY KEY (component, number));
CREATE TABLE IF NOT EXISTS watchbot_oldest_program (
  component text PRIMARY KEY, tables integer NOT NULL, number integer NOT NULL);
"""


async def migrate(database: Database, component: str, package: str) -> list[str]:
    """Brings the tables of `component` up to date; returns the names of the files it ran.

    The files are in the folder `schema/DIALECT` of the Python package, like `0001_tasks.sql`.
    All that are due run in one transaction: a failure changes nothing. Several processes may
    migrate at once. Raises `DatabaseTooNew` when a newer program made the tables, unless its files
    say that this one still works with them.
    """
    scripts = _scripts(package, database.dialect)
    async with database.transaction() as transaction:
        await transaction.fetch(database.dialect.lock_migration)
        await transaction.script(TABLES)
        done = await _last(transaction, component)
        if done > max(scripts):
            await _refuse_unless_it_works(transaction, database, component, done, max(scripts))
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
        if due:
            await transaction.execute(
                "INSERT INTO watchbot_oldest_program VALUES (:component, :tables, :number) "
                "ON CONFLICT (component) DO UPDATE SET tables = :tables, number = :number",
                component=component,
                tables=max(due),
                number=max(_oldest(number, sql) for number, (_, sql) in scripts.items()),
            )
    return [scripts[number][0] for number in due]


async def verify(database: Database, component: str, package: str) -> None:
    """Raises `DatabaseError` unless the tables exist in a version that this program works with.

    Use it where a program reads the tables of another, and must not change them.
    """
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
    if int(done) > max(scripts):
        await _refuse_unless_it_works(database, database, component, int(done), max(scripts))
    elif int(done) < max(scripts):
        raise DatabaseTooOld(
            database.shown_url,
            f"the tables of {component} have version {done}, this program reads {max(scripts)}",
        )


async def _refuse_unless_it_works(
    reader: Database | Transaction, database: Database, component: str, done: int, known: int
) -> None:
    rows = await reader.fetch(
        "SELECT number FROM watchbot_oldest_program "
        "WHERE component = :component AND tables = :done",
        component=component,
        done=done,
    )
    if not rows or int(rows[0]["number"]) > known:
        raise DatabaseTooNew(
            database.shown_url,
            f"the tables of {component} have version {done}, this program knows {known}",
        )
    log.warning(
        "a newer version made the tables; this one works with them",
        extra={"component": component, "version": done, "known": known},
    )


def oldest_program(script: str) -> int | None:
    """The number of the oldest program that works with the script's tables, if it says so."""
    found = re.search(r"^-- oldest program: (\d+)$", script, re.M)
    return int(found[1]) if found else None


def _oldest(number: int, script: str) -> int:
    return oldest_program(script) or number


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
