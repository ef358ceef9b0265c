"""The SQL that differs between kinds of database: one field for each difference.

To add a kind of database, write its `Dialect` here: mypy asks for every field.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The SQL of one kind of database where the kinds differ."""

    name: str
    """Also the folder below `schema/` that holds its tables."""

    now: str
    """The database's time, as an expression."""

    as_table: Callable[[Mapping[str, str]], str]
    """The value `:rows`, a JSON list of objects, as a table called b.

    Takes the columns, with their types in PostgreSQL.
    """

    lock: str
    """Behind a SELECT: locks the rows until the transaction ends."""

    lock_free: str
    """Behind a SELECT: locks the rows, and leaves out those that another transaction holds."""

    lock_migration: str
    """A statement that lets one transaction at a time change tables."""

    contains: Callable[[str, str, str], str]
    """The condition that an interval holds the time `:at`.

    Takes the names of its range column, where the database has ranges, its start and its end.
    """

    unindexed: Callable[[str], str]
    """A column, for a condition that must not choose the index that is read.

    SQLite counts no values: it takes any index of a column that must equal something.
    """

    start_of: Callable[[str, str], str]
    """The start of the `day`, `hour` or `minute` (first argument) of a time (second) in UTC."""

    shown_start: Callable[[str, str], str]
    """A result of `start_of` (second argument) as text: 2026-11-21, or with 03:00 or 03:47."""

    final: str
    """The condition that no row can still be committed before this one, by its column tx."""


def _sqlite_table(columns: Mapping[str, str]) -> str:
    picked = ", ".join(f"value ->> '{name}' AS {name}" for name in columns)
    return f"(SELECT {picked} FROM json_each(:rows)) AS b"


def _postgres_table(columns: Mapping[str, str]) -> str:
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"json_to_recordset(:rows::json) AS b({typed})"


_SQLITE_STARTS = {"day": 10, "hour": 13, "minute": 16}  # letters of an ISO time
_SQLITE_REST = {"day": "", "hour": ":00", "minute": ""}
_POSTGRES_FORMS = {
    "day": "YYYY-MM-DD",
    "hour": "YYYY-MM-DD HH24:00",
    "minute": "YYYY-MM-DD HH24:MI",
}

SQLITE = Dialect(
    name="sqlite",
    now="strftime('%Y-%m-%dT%H:%M:%fZ')",
    as_table=_sqlite_table,
    lock="",  # the transaction itself is the lock
    lock_free="",
    lock_migration="SELECT 1",
    # By the ends: most questions are about times that are not long ago.
    contains=lambda _, start, end: f"+{start} <= :at AND ({end} IS NULL OR {end} >= :at)",
    unindexed=lambda column: f"+{column}",
    start_of=lambda unit, time: f"substr({time}, 1, {_SQLITE_STARTS[unit]})",
    shown_start=lambda unit, start: f"replace({start}, 'T', ' ') || '{_SQLITE_REST[unit]}'",
    final="TRUE",  # one transaction writes at a time
)
POSTGRES = Dialect(
    name="postgres",
    now="now()",
    as_table=_postgres_table,
    lock="FOR UPDATE",
    lock_free="FOR UPDATE SKIP LOCKED",
    lock_migration="SELECT pg_advisory_xact_lock(hashtext('watchbot_migration'))",
    contains=lambda interval, *_: f"{interval} @> :at::timestamptz",
    unindexed=lambda column: column,
    start_of=lambda unit, time: f"date_trunc('{unit}', {time} AT TIME ZONE 'UTC')",
    shown_start=lambda unit, start: f"to_char({start}, '{_POSTGRES_FORMS[unit]}')",
    # A row may be committed after one with a higher number.
    final="tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
)
