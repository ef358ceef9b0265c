"""Stores jobs as items of the table."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from watchbot.dynamodb import side_by_side
from watchbot.moment import to_text
from watchbot.schedule.job.job import Job
from watchbot.schedule.store.dynamodb.calling_off import call_off
from watchbot.schedule.store.dynamodb.clock import Now
from watchbot.schedule.store.dynamodb.table import JOBS, StoreTable, assigned, claim_key, given
from watchbot.schedule.store.rows import stored_job
from watchbot.schedule.store.run import DELETED, SUSPENDED
from watchbot.schedule.store.stored import StoredJob, Taken, changed, first_fire, paused

_THERE = "attribute_exists(#pk)"


class TableJobs:
    """See `watchbot.schedule.store.store.Jobs`."""

    def __init__(self, table: StoreTable, now: Now, kept: timedelta) -> None:
        self._table, self._now, self._kept = table, now, kept

    async def page(self, skip: int, count: int) -> tuple[list[StoredJob], int]:
        names = await self.names()
        found = await side_by_side(self.find, names[skip : skip + count])
        return [job for job in found if job], len(names)

    async def names(self) -> list[str]:
        """The names of all jobs, sorted."""
        return [item["sk"] async for item in self._names()]

    async def find(self, job_id: str) -> StoredJob | None:
        item = await self._table.get(**job_key(job_id))
        return stored_job(item, item["sk"], item.get("at")) if item else None

    async def of_source(self, source: str) -> set[str]:
        found = self._names(FilterExpression="#source = :source", source=source)
        return {item["sk"] async for item in found}

    async def add(self, job: Job, *, source: str | None = None) -> None:
        now = await self._now()
        item = {
            **job_key(job.id),
            **moved(first_fire(job, now, now)),
            "generation": 1,
            "fields": job.stored(),
            "source": source,
            "source_fields": job.stored() if source else None,
            "created_at": to_text(now),
            "failures": 0,
        }
        if not await self._table.put(given(item), "attribute_not_exists(#pk)"):
            raise Taken

    async def change(
        self, old: StoredJob, job: Job, note: str | None = None, *, by_source: bool = False
    ) -> bool:
        now = await self._now()
        change = changed(old, job, now, note, by_source=by_source)
        attributes = {
            "generation": old.generation + 1,
            "fields": change.fields,
            "source_fields": change.source_fields,
            "note": change.note,
            "failures": change.failures,
            **(moved(change.next_fire_at) if change.moved else {}),
        }
        written = await self._write(job.id, old.generation, attributes)
        if written and job.suspended:
            await call_off(self._table, job.id, now, self._kept, SUSPENDED)
        return written

    async def remove(self, job_id: str, generation: int | None = None) -> bool:
        only = {} if generation is None else {"generation": generation}
        condition = "#generation = :generation" if only else _THERE
        removed = await self._table.delete(job_key(job_id), condition, **only)
        if removed:
            await call_off(self._table, job_id, await self._now(), self._kept, DELETED)
            await self._table.delete(claim_key(job_id), _THERE)
        return removed

    async def note(self, job_id: str, text: str, unless: str = "", **values: Any) -> None:
        """Updates a job if it still exists, and if the condition `unless` does not hold."""
        condition = f"{_THERE} AND NOT {unless}" if unless else _THERE
        await self._table.update(job_key(job_id), text, condition, **values)

    async def count_failure(self, job_id: str, reason: str) -> None:
        """Counts a failed run; pauses the job after its limit of failures in a row."""
        job = await self._table.update(job_key(job_id), "ADD #failures :one", _THERE, one=1)
        pause = paused(job["fields"], job["failures"], reason) if job else None
        if job and pause:
            fields, note = pause
            attributes = {
                "generation": job["generation"] + 1,
                "fields": fields,
                "note": note,
                **moved(None),
            }
            if await self._write(job_id, job["generation"], attributes):
                now = await self._now()
                await call_off(self._table, job_id, now, self._kept, SUSPENDED)

    async def _write(self, job_id: str, read: int, attributes: Mapping[str, Any]) -> bool:
        """Changes the job if it still has the generation `read`; returns whether it did."""
        written = await self._table.update(
            job_key(job_id),
            assigned(attributes),
            "#generation = :read",
            read=read,
            **given(attributes),
        )
        return written is not None

    def _names(self, **asked: Any) -> Any:
        return self._table.query("#pk = :pk", ProjectionExpression="#sk", pk=JOBS, **asked)


def job_key(job_id: str) -> dict[str, str]:
    """The key of a job."""
    return {"pk": JOBS, "sk": job_id}


def moved(next_fire_at: datetime | None) -> dict[str, str | None]:
    """The attributes that put a job into the index at its next fire, or remove it from there."""
    fires = next_fire_at is not None
    return {
        "work": "plan" if fires else None,
        "at": to_text(next_fire_at) if next_fire_at else None,
    }
