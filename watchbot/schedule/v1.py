"""What there is beyond ecs-scheduler's API, under `/v1`: run now, pause, next fires, runs."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, Field

from watchbot import __version__
from watchbot.moment import to_text
from watchbot.schedule import runs
from watchbot.schedule.body import BadBody
from watchbot.schedule.job import Job, is_name, resolved
from watchbot.schedule.rest import TRIES, found, link, shown
from watchbot.schedule.store import Jobs, Store
from watchbot.schedule.stored import StoredJob

MAX_FIRES = 1000
MAX_RUNS = 1000


class Note(BaseModel):
    """Why a job is paused."""

    note: Annotated[str, Field(max_length=500)] | None = None


class RunNow(BaseModel):
    """Whether a run is only to be shown."""

    dryRun: bool = False  # noqa: N815 - as it is in the body


class Backfill(RunNow):
    """The time of which the fires are to be run."""

    start: AwareDatetime
    end: AwareDatetime


class Question(BaseModel):
    """A schedule of which the fires are asked for."""

    schedule: str
    timezone: str = "UTC"
    dialect: str | None = None
    dst: str = "debian"
    after: AwareDatetime | None = None
    count: Annotated[int, Field(ge=1, le=MAX_FIRES)] = 10


class V1:
    """Its paths, over this store; `look` is called when there is a run to start."""

    def __init__(self, store: Store, look: Callable[[], None]) -> None:
        self._store, self._look = store, look

    def application(self) -> FastAPI:
        """The paths, and `/openapi.json`."""
        app = FastAPI(title="watchbot schedule", version=__version__, docs_url=None, redoc_url=None)
        app.get("/jobs/{job_id}/fires", summary="The next fires of a job")(self.fires)
        app.post("/fires", summary="The next fires of a schedule that is not stored")(self.preview)
        app.get("/jobs/{job_id}/runs", summary="The runs of a job, the newest first")(self.runs)
        app.post("/jobs/{job_id}/run", status_code=202, summary="Run a job now")(self.run)
        app.post("/jobs/{job_id}/pause", summary="Pause a job")(self.pause)
        app.post("/jobs/{job_id}/resume", summary="Resume a job")(self.resume)
        backfill = app.post("/jobs/{job_id}/backfill", status_code=202, summary="Run its past")
        backfill(self.backfill)
        for methods in app.openapi()["paths"].values():
            for described in methods.values():  # we say 400 where FastAPI would say 422
                if described["responses"].pop("422", None):
                    described["responses"]["400"] = {"description": "A field is wrong."}
        return app

    async def fires(
        self,
        job_id: str,
        count: Annotated[int, Query(ge=1, le=MAX_FIRES)] = 10,
        after: AwareDatetime | None = None,
    ) -> dict[str, Any]:
        job = await found(self._store.jobs, job_id)
        moments = runs.upcoming(job, after or await self._store.now(), count)
        return {"fires": _texts(moments), "paused": job.job.suspended, "note": job.note}

    async def preview(self, question: Question) -> dict[str, Any]:
        asked = question.model_dump(include={"schedule", "timezone", "dialect", "dst"})
        job = Job.model_validate(resolved({**asked, "id": "preview"}))
        now = await self._store.now()
        stored = _unstored(job, now)
        moments = runs.upcoming(stored, question.after or now, question.count)
        return {"schedule": job.schedule, "fires": _texts(moments)}

    async def runs(
        self,
        job_id: str,
        limit: Annotated[int, Query(ge=1, le=MAX_RUNS)] = 50,
        before: AwareDatetime | None = None,
    ) -> dict[str, Any]:
        known = is_name(job_id)
        rows = await self._store.runs.of_job(job_id, limit, before) if known else []
        if not rows:
            await found(self._store.jobs, job_id)  # its runs outlive a job
        return {"runs": rows}

    async def run(self, job_id: str, asked: RunNow | None = None) -> dict[str, Any]:
        job = await found(self._store.jobs, job_id)
        if asked and asked.dryRun:
            return {"id": job_id, "dryRun": True, "dueAt": to_text(await self._store.now())}
        due_at = await runs.run_now(self._store, job)
        self._look()
        return {"id": job_id, "link": link(job_id), "dueAt": to_text(due_at)}

    async def pause(self, job_id: str, asked: Note | None = None) -> dict[str, Any]:
        return await self._set(job_id, suspended=True, note=asked.note if asked else None)

    async def resume(self, job_id: str) -> dict[str, Any]:
        return await self._set(job_id, suspended=False, note=None)

    async def backfill(self, job_id: str, asked: Backfill) -> dict[str, Any]:
        job = await found(self._store.jobs, job_id)
        moments = runs.between(job, asked.start, min(asked.end, await self._store.now()))
        if len(moments) > runs.MAX_BACKFILL:
            problem = f"There are more than {runs.MAX_BACKFILL} fires in this time; ask for less."
            raise BadBody({"end": [problem]})
        if moments and not asked.dryRun:
            moments = await runs.backfill(self._store, job, moments)
            self._look()
        return {"id": job_id, "dryRun": asked.dryRun, "fires": _texts(moments)}

    async def _set(self, job_id: str, *, suspended: bool, note: str | None) -> dict[str, Any]:
        stored = await set_suspended(self._store.jobs, job_id, suspended=suspended, note=note)
        self._look()
        return {**shown(stored), "note": stored.note}


async def set_suspended(jobs: Jobs, job_id: str, *, suspended: bool, note: str | None) -> StoredJob:
    """Pauses or resumes a job; as it is then. Raises `HTTPException` (404, 409)."""
    for _ in range(TRIES):
        old = await found(jobs, job_id)
        job = Job.model_validate({**old.fields, "suspended": suspended})
        if await jobs.change(old, job, note):
            return await found(jobs, job_id)
    raise HTTPException(409, f"Job {job_id} is being changed by others; try again.")


def wrong_request(error: RequestValidationError) -> dict[str, list[str]]:
    """What is wrong with a request, by the names of its fields."""
    told: dict[str, list[str]] = {}
    for each in error.errors():
        place = ".".join(str(part) for part in each["loc"][1:]) or "_schema"
        told.setdefault(place, []).append(each["msg"])
    return told


def _texts(moments: list[datetime]) -> list[str]:
    return [to_text(moment) for moment in moments]


def _unstored(job: Job, now: datetime) -> StoredJob:
    return StoredJob(
        job=job,
        fields={},
        generation=0,
        created_at=now,
        next_fire_at=None,
        last_run_at=None,
        last_run_tasks=[],
        failures=0,
    )
