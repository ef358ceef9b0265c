"""Failures in SQLite or PostgreSQL."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta

from watchbot.failures.store import KEPT, MINUTES, FailureKind, KeptFailure
from watchbot.moment import to_text, to_time
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate

COMPONENT, PACKAGE = "failures", "watchbot.failures"
_TYPES = {
    "at": "timestamptz",
    "fingerprint": "text",
    "how": "text",
    "outcome": "text",
    "queue": "text",
    "message_id": "text",
    "receives": "integer",
    "duration_s": "double precision",
    "memory_bytes": "bigint",
    "container": "text",
    "log": "text",
    "tail": "text",
}
_COLUMNS = ", ".join(_TYPES)


@asynccontextmanager
async def open_sql(url: str, *, make: bool) -> AsyncIterator["SqlFailures"]:
    """Opens the database at `url`, and with `make` brings its tables up to date."""
    async with open_database(url, connections=4, option="failures") as database:
        if make:
            await migrate(database, COMPONENT, PACKAGE)
        yield SqlFailures(database)


class SqlFailures:
    """A store in one table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, failures: Sequence[KeptFailure]) -> None:
        table = self._database.dialect.as_table(_TYPES)
        async with self._database.transaction() as transaction:
            await transaction.execute(
                f"INSERT INTO watchbot_failure ({_COLUMNS}) SELECT {_COLUMNS} FROM {table}",
                rows=json.dumps([asdict(each.storable) for each in failures]),
            )

    async def kinds(self, now: datetime) -> list[FailureKind]:
        rows = await self._database.fetch(
            "SELECT fingerprint, max(how) AS how, count(*) AS count, min(at) AS first, "
            "max(at) AS last FROM watchbot_failure WHERE at >= :since "
            "GROUP BY fingerprint ORDER BY last DESC",
            since=to_text(now - KEPT),
        )
        minutes = await self._minutes(now)
        none = [0] * MINUTES
        return [FailureKind(**row, minutes=minutes.get(row["fingerprint"], none)) for row in rows]

    async def of_kind(self, fingerprint: str, most: int) -> list[KeptFailure]:
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM watchbot_failure WHERE fingerprint = :fingerprint "
            "ORDER BY at DESC LIMIT :most",
            fingerprint=fingerprint,
            most=most,
        )
        return [KeptFailure(**row) for row in rows]

    async def forget(self, before: datetime) -> None:
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "DELETE FROM watchbot_failure WHERE at < :before", before=to_text(before)
            )

    async def _minutes(self, now: datetime) -> dict[str, list[int]]:
        this, dialect = now.replace(second=0, microsecond=0), self._database.dialect
        rows = await self._database.fetch(
            f"SELECT fingerprint, {dialect.shown_start('minute', 'start')} AS minute, count "
            f"FROM (SELECT fingerprint, {dialect.start_of('minute', 'at')} AS start, "
            "count(*) AS count FROM watchbot_failure WHERE at >= :since GROUP BY 1, 2) AS counted",
            since=to_text(this - timedelta(minutes=MINUTES - 1)),
        )
        counts: dict[str, list[int]] = {}
        for row in rows:
            ago = int((this - to_time(f"{row['minute']}Z")).total_seconds()) // 60
            counted = counts.setdefault(row["fingerprint"], [0] * MINUTES)
            counted[MINUTES - 1 - max(ago, 0)] += row["count"]
        return counts
