"""Shows jobs and their runs as web pages, with buttons to run, pause and resume a job.

A button is a form. `pages.site` checks the token; `pages.gate` refuses requests that other web
sites send.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from typing import Any

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from watchbot.moment import to_text, to_time
from watchbot.pages.site import Templates, lasted, zoned
from watchbot.schedule.http.body import BadBody
from watchbot.schedule.http.cancelling import backfill_progress, cancel_backfill, cancel_run
from watchbot.schedule.http.operations import Operation
from watchbot.schedule.http.reading import reading, words
from watchbot.schedule.http.rest import found, only_known
from watchbot.schedule.http.v1 import set_suspended
from watchbot.schedule.http.week import WIDTH, week
from watchbot.schedule.job.job import is_name
from watchbot.schedule.run_list import CHOICES, pill
from watchbot.schedule.runs import run_now, upcoming
from watchbot.schedule.store.run import RunFilter
from watchbot.schedule.store.store import Store
from watchbot.schedule.store.stored import StoredJob

SIZE = 50  # jobs on a page
RUNS, FIRES = 100, 10
COUNTED = 1000  # runs at most, for a figure
MAX_DIGITS = 6  # of a page's number


class SchedulePages:
    """The pages for this store; they call `look` when there is a run to start.

    `operations` are the operations of the API, for the page that lists them.
    """

    def __init__(
        self,
        store: Store,
        look: Callable[[], None],
        operations: Sequence[Operation],
    ) -> None:
        self._store, self._look, self._operations = store, look, operations
        self._templates = Templates(
            "watchbot.schedule.http",
            {"outcome": pill, "zoned": zoned, "lasted": lasted, "task_id": _task_id},
        )

    def routes(self) -> list[Route]:
        return [
            Route("/page", self.jobs),
            Route("/page/api", self.api),
            Route("/page/jobs/{job_id}", self.job),
            Route("/page/jobs/{job_id}/run", self.sure),
            Route("/page/jobs/{job_id}/run", self.run, methods=["POST"]),
            Route("/page/jobs/{job_id}/pause", self.pause, methods=["POST"]),
            Route("/page/jobs/{job_id}/resume", self.resume, methods=["POST"]),
            Route("/page/jobs/{job_id}/runs/{due_at}/cancel", self.cancel, methods=["POST"]),
            Route("/page/jobs/{job_id}/backfill/cancel", self.end_backfill, methods=["POST"]),
        ]

    async def jobs(self, request: Request) -> Response:
        only_known(request, {"page", "show", "job"})
        asked = request.query_params
        number, show = _number(asked.get("page", "0")), asked.get("show", "all")
        if show not in CHOICES:
            raise BadBody({"show": [f"Must be one of: {', '.join(CHOICES)}."]})
        job_id = asked.get("job", "").strip()
        jobs, total = await self._store.jobs.page(number * SIZE, SIZE)
        now = await self._store.now()
        week_ago, day_ago = now - timedelta(days=7), now - timedelta(days=1)
        wanted = RunFilter(since=week_ago, job=job_id or None, **CHOICES[show])
        return self._templates.page(
            "jobs.html",
            runs=await self._recent(wanted, RUNS),
            failed=len(await self._recent(RunFilter(since=day_ago, failed=True), COUNTED)),
            active=len(await self._recent(RunFilter(since=week_ago, outcome="active"), COUNTED)),
            most_failed=COUNTED,
            soonest=_soonest(jobs),
            choices=CHOICES,
            show=show,
            job=job_id,
            readings={stored.job.id: reading(stored, now) for stored in jobs},
            jobs=jobs,
            total=total,
            number=number,
            more=total > (number + 1) * SIZE,
            last=await self._store.runs.last([stored.job.id for stored in jobs]),
            week=await anyio.to_thread.run_sync(week, jobs, now),  # slow: thousands of fires
            width=WIDTH,
        )

    async def job(self, request: Request) -> Response:
        only_known(request)
        stored = await found(self._store.jobs, request.path_params["job_id"])
        paused = stored.job.suspended
        fires = [] if paused else upcoming(stored, await self._store.now(), FIRES)
        return self._templates.page(
            "job.html",
            stored=stored,
            words=words(stored.job, stored.created_at),
            fields=json.dumps(stored.fields, indent=2),
            fires=[to_text(fire) for fire in fires],
            runs=await self._store.runs.of_job(stored.job.id, RUNS, None),
            backfill=await backfill_progress(self._store, stored.job.id),
        )

    async def api(self, request: Request) -> Response:
        only_known(request)
        return self._templates.page("api.html", operations=self._operations)

    async def sure(self, request: Request) -> Response:
        only_known(request)
        stored = await found(self._store.jobs, request.path_params["job_id"])
        reads = words(stored.job, stored.created_at)
        return self._templates.page("sure.html", stored=stored, words=reads)

    def problem(self, status: int, text: str) -> Response:
        """A page that says what is wrong with a request."""
        title = {403: "Not allowed", 404: "Not here", 503: "Not now"}.get(status, "Not done")
        return self._templates.page("problem.html", status, title=title, text=text)

    async def _recent(self, wanted: RunFilter, most: int) -> list[dict[str, Any]]:
        if wanted.job is not None and not is_name(wanted.job):
            return []
        return await self._store.runs.recent(wanted, most)

    async def run(self, request: Request) -> Response:
        only_known(request)
        stored = await found(self._store.jobs, request.path_params["job_id"])
        await run_now(self._store, stored)
        return self._back(stored.job.id)

    async def pause(self, request: Request) -> Response:
        return await self._set(request, suspended=True)

    async def resume(self, request: Request) -> Response:
        return await self._set(request, suspended=False)

    async def cancel(self, request: Request) -> Response:
        only_known(request)
        job_id: str = request.path_params["job_id"]
        try:
            due_at = to_time(request.path_params["due_at"]).astimezone(UTC)
        except (ValueError, OverflowError):
            raise HTTPException(404, "There is no run of this time.") from None
        await cancel_run(self._store, job_id, due_at)
        return self._back(job_id)

    async def end_backfill(self, request: Request) -> Response:
        only_known(request)
        job_id: str = request.path_params["job_id"]
        await cancel_backfill(self._store, job_id)
        return self._back(job_id)

    async def _set(self, request: Request, *, suspended: bool) -> Response:
        only_known(request)
        job_id: str = request.path_params["job_id"]
        await set_suspended(self._store.jobs, job_id, suspended=suspended, note=None)
        return self._back(job_id)

    def _back(self, job_id: str) -> Response:
        self._look()
        return RedirectResponse(f"/page/jobs/{job_id}", 303)


def _soonest(jobs: Sequence[StoredJob]) -> dict[str, Any] | None:
    """The job of the page that is due next, and its time as text."""
    due = [stored for stored in jobs if stored.next_fire_at is not None]
    if not due:
        return None
    first = min(due, key=lambda stored: (stored.next_fire_at, stored.job.id))
    return {"job": first.job, "at": first.next_fire_at and to_text(first.next_fire_at)}


def _task_id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _number(text: str) -> int:
    """The number of a page. Raises `BadBody` unless `text` is a whole number from 0."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise BadBody({"page": ["Must be a whole number, 0 for the first page."]})
    return int(text)
