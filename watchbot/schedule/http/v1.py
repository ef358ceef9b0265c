"""Serves the API under `/v1`: jobs in standard cron, run now, pause, next fires, runs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field

from watchbot import __version__
from watchbot.moment import to_text
from watchbot.schedule import runs
from watchbot.schedule.http.body import BadBody, read_body
from watchbot.schedule.http.cancelling import Cancelling, Nothing
from watchbot.schedule.http.described import complete, pages, queries, takes
from watchbot.schedule.http.given import new_job
from watchbot.schedule.http.reading import words
from watchbot.schedule.http.rest import (
    NO_LIMITS,
    STANDARD,
    TRIES,
    JobRules,
    Rest,
    found,
    link,
    only_known,
    shown,
)
from watchbot.schedule.job.job import Job, Moment, is_name
from watchbot.schedule.job.part import JobPart
from watchbot.schedule.store.run import RunFilter, Status
from watchbot.schedule.store.store import Jobs, Store
from watchbot.schedule.store.stored import StoredJob, unstored

MAX_FIRES = 1000
MAX_AT_ONCE = 50  # runs of a backfill
MAX_RUNS = 1000
RECENT = timedelta(days=7)  # of the runs of all jobs, unless the caller says since when


RunOutcome = Literal[
    "active",
    "success",
    "failed",
    "failed_to_start",
    "interrupted",
    "stopped",
    "lost",
    "unknown",
]


class Note(JobPart):
    """A body with the reason of a pause."""

    note: Annotated[str, Field(max_length=500)] | None = None


class RunNow(JobPart):
    """A body that says whether to show a run without starting it."""

    dry_run: bool = False


class Backfill(RunNow):
    """A body with the time span whose fires should run."""

    start: Moment
    end: Moment
    concurrency: Annotated[int, Field(ge=1, le=MAX_AT_ONCE)] = 1


class Question(JobPart):
    """A body with a schedule, to ask for its fires."""

    schedule: str
    timezone: str = "UTC"
    dialect: str | None = None
    dst: str = "debian"
    after: Moment | None = None
    count: Annotated[int, Field(ge=1, le=MAX_FIRES)] = 10


class V1:
    """Handlers of the paths, for this store; they call `look` when there is a run to start.

    `limits` come from the operator's settings.
    """

    def __init__(
        self, store: Store, look: Callable[[], None], limits: JobRules = NO_LIMITS
    ) -> None:
        self._store, self._look = store, look
        self._jobs = Rest(store, look, limits, STANDARD)

    def application(self) -> FastAPI:
        """The paths, and `/openapi.json`."""
        app = FastAPI(
            title="watchbot schedule",
            version=__version__,
            docs_url=None,
            redoc_url=None,
            dependencies=[Depends(_known_query)],
        )
        rest, one = self._jobs, takes(job=True)
        app.get("/jobs", summary="The jobs, in the order of their names", **pages())(rest.jobs)
        app.post("/jobs", status_code=201, summary="Make a job", **takes(Job))(rest.create)
        app.get("/jobs/{job_id}", summary="A job", **one)(rest.read)
        app.put("/jobs/{job_id}", summary="Change a job", **takes(Job, job=True))(rest.update)
        app.delete("/jobs/{job_id}", summary="Remove a job", **one)(rest.delete)
        app.get("/jobs/{job_id}/fires", summary="The next fires of a job")(self.fires)
        app.get("/jobs/{job_id}/runs", summary="The runs of a job, the newest first")(self.runs)
        app.get("/runs", summary="The runs of all jobs, the newest first")(self.recent)

        def post(path: str, summary: str, body: type[JobPart], status: int = 200) -> Any:
            return app.post(path, status_code=status, summary=summary, **takes(body))

        post("/fires", "The next fires of a schedule that is not stored", Question)(self.preview)
        post("/jobs/{job_id}/run", "Run a job now", RunNow, 202)(self.run)
        post("/jobs/{job_id}/pause", "Pause a job", Note)(self.pause)
        post("/jobs/{job_id}/resume", "Resume a job", Nothing)(self.resume)
        post("/jobs/{job_id}/backfill", "Run its past", Backfill, 202)(self.backfill)
        Cancelling(self._store, self._look).add_to(app)
        complete(app)
        return app

    async def fires(
        self,
        job_id: str,
        count: Annotated[int, Query(ge=1, le=MAX_FIRES)] = 10,
        after: Moment | None = None,
    ) -> dict[str, Any]:
        job = await found(self._store.jobs, job_id)
        moments = runs.upcoming(job, after or await self._store.now(), count)
        return {"fires": _texts(moments), "paused": job.job.suspended, "note": job.note}

    async def preview(self, request: Request) -> dict[str, Any]:
        asked = await read_body(request, Question)
        fields = asked.model_dump(include={"schedule", "timezone", "dialect", "dst"})
        job = new_job({**fields, "id": "preview"}, "cron")
        now = await self._store.now()
        moments = runs.upcoming(unstored(job, now), asked.after or now, asked.count)
        return {
            "schedule": job.schedule,
            "dialect": job.dialect,
            "scheduleReads": words(job, now),
            "fires": _texts(moments),
        }

    async def runs(
        self,
        job_id: str,
        limit: Annotated[int, Query(ge=1, le=MAX_RUNS)] = 50,
        before: Moment | None = None,
    ) -> dict[str, Any]:
        known = is_name(job_id)
        rows = await self._store.runs.of_job(job_id, limit, before) if known else []
        if not rows:
            await found(self._store.jobs, job_id)  # 404 only without runs: they outlive a job
        return {"runs": rows}

    async def recent(  # noqa: PLR0913 - each is a parameter of the query
        self,
        job: str | None = None,
        status: Status | None = None,
        outcome: RunOutcome | None = None,
        failed: Annotated[
            bool, Query(description="Only runs that failed or were missed, or whose tasks failed.")
        ] = False,
        since: Annotated[
            Moment | None, Query(description="Only runs due since then. Default: 7 days ago.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_RUNS)] = 50,
    ) -> dict[str, Any]:
        if job is not None and not is_name(job):
            return {"runs": []}
        after = since or await self._store.now() - RECENT
        wanted = RunFilter(since=after, job=job, status=status, outcome=outcome, failed=failed)
        return {"runs": await self._store.runs.recent(wanted, limit)}

    async def run(self, job_id: str, request: Request) -> dict[str, Any]:
        asked = await read_body(request, RunNow)
        job = await found(self._store.jobs, job_id)
        if asked.dry_run:
            return {"id": job_id, "dryRun": True, "dueAt": to_text(await self._store.now())}
        due_at = await runs.run_now(self._store, job)
        self._look()
        return {"id": job_id, "link": link(job_id, STANDARD.base), "dueAt": to_text(due_at)}

    async def pause(self, job_id: str, request: Request) -> dict[str, Any]:
        asked = await read_body(request, Note)
        return await self._set(job_id, suspended=True, note=asked.note)

    async def resume(self, job_id: str, request: Request) -> dict[str, Any]:
        await read_body(request, Nothing)
        return await self._set(job_id, suspended=False, note=None)

    async def backfill(self, job_id: str, request: Request) -> dict[str, Any]:
        asked = await read_body(request, Backfill)
        job = await found(self._store.jobs, job_id)
        moments = runs.between(job, asked.start, min(asked.end, await self._store.now()))
        if len(moments) > runs.MAX_BACKFILL:
            problem = f"There are more than {runs.MAX_BACKFILL} fires in this time; ask for less."
            raise BadBody({"end": [problem]})
        if moments and not asked.dry_run:
            moments = await runs.backfill(self._store, job, moments, asked.concurrency)
            self._look()
        return {"id": job_id, "dryRun": asked.dry_run, "fires": _texts(moments)}

    async def _set(self, job_id: str, *, suspended: bool, note: str | None) -> dict[str, Any]:
        stored = await set_suspended(self._store.jobs, job_id, suspended=suspended, note=note)
        self._look()
        return {**shown(stored, await self._store.now(), STANDARD.base), "note": stored.note}


async def set_suspended(jobs: Jobs, job_id: str, *, suspended: bool, note: str | None) -> StoredJob:
    """Pauses or resumes a job; returns its new state. Raises `HTTPException` (404, 409)."""
    for _ in range(TRIES):
        old = await found(jobs, job_id)
        job = Job.model_validate({**old.fields, "suspended": suspended})
        if await jobs.change(old, job, note):
            return await found(jobs, job_id)
    raise HTTPException(409, f"Job {job_id} is being changed by others; try again.")


def wrong_request(error: RequestValidationError) -> dict[str, list[str]]:
    """The errors of a request's query, by parameter."""
    told: dict[str, list[str]] = {}
    for each in error.errors():  # for a union, pydantic adds the tried member to the path
        told.setdefault(str(each["loc"][1]), []).append(each["msg"])
    return told


def _known_query(request: Request) -> None:
    only_known(request, queries(request.scope["route"]))


def _texts(moments: list[datetime]) -> list[str]:
    return [to_text(moment) for moment in moments]
