"""Cancels unfinished runs, a single one or a backfill, and shows a backfill's progress."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from watchbot.moment import to_text
from watchbot.schedule.http.body import read_body
from watchbot.schedule.http.described import takes
from watchbot.schedule.job.job import Moment, is_name
from watchbot.schedule.job.part import JobPart
from watchbot.schedule.store.run import Cancel, Cause
from watchbot.schedule.store.store import Store

CANCELLED = "it was cancelled"


class Nothing(JobPart):
    """A body without fields."""


class Cancelling:
    """Handlers of the paths under `/v1`, for this store; call `look` when a run must end."""

    def __init__(self, store: Store, look: Callable[[], None]) -> None:
        self._store, self._look = store, look

    def add_to(self, app: FastAPI) -> None:
        """Adds the paths."""
        run = "/jobs/{job_id}/runs/{due_at}/cancel"
        app.post(run, summary="Cancel a run that is not over", **takes(Nothing))(self.run)
        app.get("/jobs/{job_id}/backfill", summary="How far its backfills have come")(self.progress)
        end = "/jobs/{job_id}/backfill/cancel"
        app.post(end, summary="Cancel its backfills", **takes(Nothing))(self.backfill)

    async def run(
        self, request: Request, job_id: str, due_at: Moment, cause: Cause | None = None
    ) -> dict[str, Any]:
        await read_body(request, Nothing)
        count = await cancel_run(self._store, job_id, due_at, cause)
        self._look()
        return {"id": job_id, "dueAt": to_text(due_at), "cancelled": count}

    async def progress(self, job_id: str) -> dict[str, Any]:
        return {"id": job_id, **await backfill_progress(self._store, job_id)}

    async def backfill(self, request: Request, job_id: str) -> dict[str, Any]:
        await read_body(request, Nothing)
        count = await cancel_backfill(self._store, job_id)
        self._look()
        return {"id": job_id, "cancelled": count}


async def cancel_run(
    store: Store, job_id: str, due_at: datetime, cause: Cause | None = None
) -> int:
    """Cancels the runs of this time; returns their number. Raises `HTTPException` (404, 409)."""
    cancel = Cancel(reason=CANCELLED, due_at=due_at, cause=cause)
    count = await store.runs.call_off(job_id, cancel) if is_name(job_id) else None
    if count is None:
        raise HTTPException(404, f"Job {job_id} has no run of {to_text(due_at)}.")
    if not count:
        raise HTTPException(409, f"The run of {to_text(due_at)} is over; stop its tasks in ECS.")
    return count


async def cancel_backfill(store: Store, job_id: str) -> int:
    """Cancels the unfinished runs of the job's backfills; returns their number."""
    cancel = Cancel(reason=CANCELLED, cause="backfill")
    return (await store.runs.call_off(job_id, cancel) if is_name(job_id) else None) or 0


async def backfill_progress(store: Store, job_id: str) -> dict[str, int]:
    """The number of stored runs of the job's backfills, by status."""
    states = await store.runs.backfilled(job_id) if is_name(job_id) else {}
    waiting, active = states.pop("due", 0), states.pop("active", 0)
    skipped, done = states.pop("skipped", 0), states.pop("started", 0)
    failed = sum(states.values())
    return {
        "total": waiting + active + done + skipped + failed,
        "waiting": waiting,
        "active": active,
        "done": done,
        "skipped": skipped,
        "failed": failed,
    }
