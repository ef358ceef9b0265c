"""The jobs, as they are stored. A change is made to the generation that was read, or not at all."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from watchbot.schedule.job import Job, read_job
from watchbot.sql.database import Database, Dialect, Row, Transaction, to_text, to_time

_NOW: dict[Dialect, str] = {
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%fZ') AS now",
    "postgres": "SELECT now() AS now",
}
# What decides when a job fires: where one of these has changed, its next fire is sought anew.
_TIMES = {"schedule", "timezone", "dialect", "dst", "schedule_start", "schedule_end", "suspended"}


class Reader(Protocol):
    """What answers a query: a database, or a transaction."""

    async def fetch(self, sql: str, **values: Any) -> list[Row]: ...


Now = Callable[[Reader], Awaitable[datetime]]


def database_clock(database: Database) -> Now:
    """The database's clock, the only one that all replicas share."""

    async def now(reader: Reader) -> datetime:
        (row,) = await reader.fetch(_NOW[database.dialect])
        return to_time(row["now"])

    return now


def seconds_until(text: str | None, now: datetime, most: float) -> float:
    """How long it is from now to a time of the database, if there is one; `most` at most."""
    seconds = (to_time(text) - now).total_seconds() if text else most
    return min(max(seconds, 0), most)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job, and what has become of it."""

    job: Job
    fields: dict[str, Any]  # as they were written
    generation: int
    created_at: datetime
    next_fire_at: datetime | None
    last_run_at: datetime | None
    last_run_tasks: list[dict[str, Any]]
    failures: int
    note: str | None = None
    source: str | None = None  # what it is kept in step with
    source_fields: str | None = None  # what its source said last, if it has one


class Taken(Exception):
    """There is a job of this name."""

    def __init__(self) -> None:
        super().__init__("there is a job of this name")


class NeverFires(Exception):
    """It has no fire to come: its end, or its one time, is past."""

    def __init__(self) -> None:
        super().__init__("It would never fire: all its times are past.")


class Jobs:
    """The jobs of a database."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database, self._now = database, now

    async def page(self, skip: int, count: int) -> tuple[list[StoredJob], int]:
        """So many jobs in the order of their names, and how many there are in all."""
        (row,) = await self._database.fetch("SELECT count(*) AS total FROM schedule_job")
        rows = await self._database.fetch(
            "SELECT * FROM schedule_job ORDER BY id LIMIT :count OFFSET :skip",
            count=count,
            skip=skip,
        )
        return [_stored(each) for each in rows], int(row["total"])

    async def find(self, job_id: str) -> StoredJob | None:
        """The job of this name."""
        rows = await self._database.fetch("SELECT * FROM schedule_job WHERE id = :id", id=job_id)
        return _stored(rows[0]) if rows else None

    async def of_source(self, source: str) -> set[str]:
        """The names of the jobs that were added with this source."""
        rows = await self._database.fetch(
            "SELECT id FROM schedule_job WHERE source = :source", source=source
        )
        return {row["id"] for row in rows}

    async def add(self, job: Job, *, source: str | None = None) -> None:
        """Stores a new job. Raises `Taken` or `NeverFires`."""
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            due_at = _next_fire(job, now, now)
            added = await transaction.execute(
                "INSERT INTO schedule_job "
                "(id, generation, fields, source, source_fields, created_at, next_fire_at) VALUES "
                "(:id, 1, :fields, :source, :source_fields, :now, :due_at) "
                "ON CONFLICT (id) DO NOTHING",
                id=job.id,
                fields=job.stored(),
                source=source,
                source_fields=job.stored() if source else None,
                now=to_text(now),
                due_at=to_text(due_at) if due_at else None,
            )
        if not added:
            raise Taken

    async def change(
        self, old: StoredJob, job: Job, note: str | None = None, *, by_source: bool = False
    ) -> bool:
        """Stores `job` in the place of `old`; False when somebody else has changed that one.

        `note` says why it is paused; `by_source`, that it is the source that has changed it. Raises
        `NeverFires`.
        """
        same_state = job.suspended == old.job.suspended
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            due_at = old.next_fire_at
            if _times(old.job) != _times(job):
                due_at = _next_fire(job, now, old.created_at)
            changed = await transaction.execute(
                "UPDATE schedule_job SET generation = generation + 1, fields = :fields, "
                "source_fields = :source_fields, note = :note, next_fire_at = :due_at, "
                "failures = :failures WHERE id = :id AND generation = :generation",
                id=job.id,
                generation=old.generation,
                fields=job.stored(),
                source_fields=job.stored() if by_source else old.source_fields,
                note=note or (old.note if same_state else None),
                due_at=to_text(due_at) if due_at else None,
                failures=old.failures if same_state else 0,
            )
            if changed and job.suspended:
                await _call_off(transaction, job.id, now, "the job was suspended")
        return changed == 1

    async def remove(self, job_id: str, generation: int | None = None) -> bool:
        """Removes a job; False when it is not there, or not of this generation.

        What has become of its runs stays in the ledger.
        """
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            only = "" if generation is None else "AND generation = :generation"
            removed = await transaction.execute(
                f"DELETE FROM schedule_job WHERE id = :id {only}", id=job_id, generation=generation
            )
            if removed:
                await _call_off(transaction, job_id, now, "the job was deleted")
        return removed == 1


async def _call_off(transaction: Transaction, job_id: str, now: datetime, reason: str) -> None:
    """Ends the runs that nobody has begun."""
    await transaction.execute(
        "UPDATE schedule_run SET status = 'skipped', reason = :reason, wake_at = NULL "
        "WHERE job_id = :id AND status = 'due' AND wanted IS NULL "
        "AND (owner IS NULL OR wake_at <= :now)",
        id=job_id,
        reason=reason,
        now=to_text(now),
    )


def _next_fire(job: Job, now: datetime, created: datetime) -> datetime | None:
    """None while it is suspended."""
    found = next(job.fires(now, created), None)
    if found is None:
        raise NeverFires
    return None if job.suspended else found


def _times(job: Job) -> dict[str, Any]:
    return job.model_dump(include=_TIMES)


def _stored(row: Row) -> StoredJob:
    return StoredJob(
        job=read_job(row["fields"]),
        fields=json.loads(row["fields"]),
        generation=row["generation"],
        created_at=to_time(row["created_at"]),
        next_fire_at=_time(row["next_fire_at"]),
        last_run_at=_time(row["last_run_at"]),
        last_run_tasks=json.loads(row["last_run_tasks"]),
        failures=row["failures"],
        note=row["note"],
        source=row["source"],
        source_fields=row["source_fields"],
    )


def _time(text: str | None) -> datetime | None:
    return to_time(text) if text else None
