"""Stores jobs in an SQL table."""

from datetime import datetime

from watchbot.moment import to_text
from watchbot.schedule.job.job import Job
from watchbot.schedule.store.rows import stored_job
from watchbot.schedule.store.run import DELETED, SUSPENDED
from watchbot.schedule.store.sql.calling_off import call_off
from watchbot.schedule.store.sql.clock import Now
from watchbot.schedule.store.sql.columns import JOB
from watchbot.schedule.store.stored import StoredJob, Taken, changed, first_fire, paused
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Row


class SqlJobs:
    """See `watchbot.schedule.store.store.Jobs`."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database, self._now = database, now

    async def page(self, skip: int, count: int) -> tuple[list[StoredJob], int]:
        (row,) = await self._database.fetch("SELECT count(*) AS total FROM schedule_job")
        rows = await self._database.fetch(
            f"SELECT {JOB} FROM schedule_job ORDER BY id LIMIT :count OFFSET :skip",
            count=count,
            skip=skip,
        )
        return [_stored(row) for row in rows], int(row["total"])

    async def find(self, job_id: str) -> StoredJob | None:
        rows = await self._database.fetch(
            f"SELECT {JOB} FROM schedule_job WHERE id = :id", id=job_id
        )
        return _stored(rows[0]) if rows else None

    async def of_source(self, source: str) -> set[str]:
        rows = await self._database.fetch(
            "SELECT id FROM schedule_job WHERE source = :source", source=source
        )
        return {row["id"] for row in rows}

    async def add(self, job: Job, *, source: str | None = None) -> None:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            due_at = first_fire(job, now, now)
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
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            change = changed(old, job, now, note, by_source=by_source)
            due_at = to_text(change.next_fire_at) if change.next_fire_at else None
            moved = ", next_fire_at = :due_at" if change.moved else ""
            written = await transaction.execute(
                "UPDATE schedule_job SET generation = generation + 1, fields = :fields, "
                f"source_fields = :source_fields, note = :note, failures = :failures{moved} "
                "WHERE id = :id AND generation = :generation",
                id=job.id,
                generation=old.generation,
                fields=change.fields,
                source_fields=change.source_fields,
                note=change.note,
                failures=change.failures,
                **({"due_at": due_at} if moved else {}),
            )
            if written and job.suspended:
                await call_off(transaction, job.id, now, SUSPENDED)
        return written == 1

    async def remove(self, job_id: str, generation: int | None = None) -> bool:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            only = "" if generation is None else "AND generation = :generation"
            removed = await transaction.execute(
                f"DELETE FROM schedule_job WHERE id = :id {only}", id=job_id, generation=generation
            )
            if removed:
                await call_off(transaction, job_id, now, DELETED)
        return removed == 1


async def count_failure(transaction: Transaction, job_id: str, reason: str, now: datetime) -> None:
    """Counts a failed run; pauses the job after its limit of failures in a row."""
    rows = await transaction.fetch(
        "UPDATE schedule_job SET failures = failures + 1 WHERE id = :id RETURNING fields, failures",
        id=job_id,
    )
    for row in rows:
        if pause := paused(row["fields"], row["failures"], reason):
            fields, note = pause
            await transaction.execute(
                "UPDATE schedule_job SET generation = generation + 1, fields = :fields, "
                "next_fire_at = NULL, note = :note WHERE id = :id",
                id=job_id,
                fields=fields,
                note=note,
            )
            await call_off(transaction, job_id, now, SUSPENDED)


def _stored(row: Row) -> StoredJob:
    return stored_job(row, row["id"], row["next_fire_at"])
