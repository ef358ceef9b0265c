"""Serves ecs-scheduler's REST API for its clients: `/`, `/jobs`, `/jobs/ID`, `/spec`.

`/v1/jobs` serves these jobs with these methods, but reads a schedule without `dialect` as standard
cron, and shows in every answer how it reads the schedule.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchbot.moment import to_text
from watchbot.schedule.cron.dialects import Dialect, dialect_of
from watchbot.schedule.http.body import BadBody, read_object
from watchbot.schedule.http.given import changed_job, new_job
from watchbot.schedule.http.operations import spec
from watchbot.schedule.http.reading import reading, slip, warning
from watchbot.schedule.job.endpoints import Endpoints
from watchbot.schedule.job.job import Job, is_name
from watchbot.schedule.job.names import unknown
from watchbot.schedule.store.declared import refuse_declared
from watchbot.schedule.store.store import Jobs, Store
from watchbot.schedule.store.stored import StoredJob, Taken

COUNT = 10  # jobs on a page, by default
MOST = 1000
TRIES = 10  # of a change, while other clients change the job
_MOST_SKIPPED = 2**31
_PAGE = ("skip", "count")  # query parameters of the list of jobs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Style:
    """The path of jobs, and the dialect of a schedule without `dialect`."""

    base: str
    dialect: Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRules:
    """Limits for jobs: the table of stacks that declares some, and the servers to name."""

    followed: str | None = None
    endpoints: Endpoints | None = None


NO_LIMITS = JobRules()
AS_ECS_SCHEDULER = Style("/jobs", "aps8")
STANDARD = Style("/v1/jobs", "cron")


class Rest:
    """Handlers of the routes, for the jobs of this store; call `look` when a job has changed.

    `limits` come from the operator's settings.
    """

    def __init__(
        self,
        store: Store,
        look: Callable[[], None],
        limits: JobRules = NO_LIMITS,
        style: Style = AS_ECS_SCHEDULER,
    ) -> None:
        self._store, self._look, self._limits = store, look, limits
        self._base, self._dialect = style.base, style.dialect

    @property
    def _jobs(self) -> Jobs:
        return self._store.jobs

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", _resource(get=self.root)),
            Route("/spec", _resource(get=self.spec)),
            Route("/jobs", _resource(get=self.jobs, post=self.create)),
            Route("/jobs/{job_id}", _resource(get=self.read, put=self.update, delete=self.delete)),
        ]

    async def root(self, request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/page", 303)  # a browser
        links = [("jobs", "Jobs"), ("spec", "Spec")]
        resources = [
            {"link": {"rel": rel, "title": title, "href": f"/{rel}"}} for rel, title in links
        ]
        return answer(request, {"resources": resources})

    async def spec(self, request: Request) -> Response:
        return answer(request, spec())

    async def jobs(self, request: Request) -> Response:
        skip, count = _asked_page(request)
        jobs, total = await self._jobs.page(skip, count)
        now = await self._store.now()
        body: dict[str, Any] = {"jobs": [self._shown(job, now) for job in jobs]}
        before = min(skip, total)  # jobs before this page; all jobs for a page beyond the end
        if before and count:
            # At most the jobs before this page, because two pages must not overlap.
            body["prev"] = self._page(max(before - count, 0), min(count, before))
        if count and skip + count < total:
            body["next"] = self._page(skip + count, count)
        return answer(request, body)

    async def create(self, request: Request) -> Response:
        only_known(request)
        job = new_job(await read_object(request), self._dialect, self._limits.endpoints)
        try:
            await self._jobs.add(job)
        except Taken:
            raise HTTPException(409, f"Job {job.id} already exists.") from None
        self._look()
        location = link(job.id, self._base)["href"]
        return answer(request, await self._written(job), 201, {"location": location})

    async def read(self, request: Request) -> Response:
        only_known(request)
        job = await found(self._jobs, request.path_params["job_id"])
        return answer(request, self._shown(job, await self._store.now()), tag=f"{job.generation}.")

    async def update(self, request: Request) -> Response:
        only_known(request)
        given = await read_object(request)
        job_id: str = request.path_params["job_id"]
        for _ in range(TRIES):
            old = await found(self._jobs, job_id)
            _unless_changed(request, old)
            fields = {**old.fields, "id": job_id}
            job = changed_job(fields, given, self._dialect, self._limits.endpoints)
            if await self._jobs.change(old, job):
                self._look()
                return answer(request, await self._written(job))
        raise HTTPException(409, f"Job {job_id} is being changed by others; try again.")

    async def delete(self, request: Request) -> Response:
        only_known(request)
        old = await found(self._jobs, request.path_params["job_id"])
        _unless_changed(request, old)
        refuse_declared(old, self._limits.followed)
        only = old.generation if "if-match" in request.headers else None
        if not await self._jobs.remove(old.job.id, only):
            await found(self._jobs, old.job.id)  # another client has changed or removed it
            raise HTTPException(412, f"Job {old.job.id} has changed.")
        return answer(request, {"id": old.job.id})

    async def _written(self, job: Job) -> dict[str, Any]:
        """The answer for a stored job: ecs-scheduler's short one, or the whole job."""
        now = await self._store.now()
        if self._dialect != "aps8":
            return self._shown(await found(self._jobs, job.id), now)
        told = slip(job, now)
        if told:
            log.warning("schedule without dialect", extra={"job": job.id, "reason": warning(told)})
        return {"id": job.id, "link": link(job.id), **told}

    def _shown(self, stored: StoredJob, now: datetime) -> dict[str, Any]:
        facts = shown(stored, now, self._base)
        if self._dialect != "aps8":
            facts.setdefault("dialect", dialect_of(stored.job.schedule))
        return facts

    def _page(self, skip: int, count: int) -> str:
        asked = {"count": count, "skip": skip}
        defaults = {"count": COUNT, "skip": 0}
        query = urlencode({name: asked[name] for name in asked if asked[name] != defaults[name]})
        return f"{self._base}?{query}" if query else self._base


async def found(jobs: Jobs, job_id: str) -> StoredJob:
    """The job with this name. Raises `HTTPException` (404)."""
    job = await jobs.find(job_id) if is_name(job_id) else None
    if job is None:
        raise HTTPException(404, f"Job {job_id} does not exist.")
    return job


def link(job_id: str, base: str = "/jobs") -> dict[str, str]:
    """The link to a job."""
    return {"rel": "item", "title": f"Job for {job_id}", "href": f"{base}/{quote(job_id)}"}


def only_known(request: Request, known: Iterable[str] = ()) -> None:
    """Raises `BadBody` if the query has a parameter that is not in `known`."""
    known = set(known)
    problems = {name: [unknown(name, known)] for name in request.query_params if name not in known}
    if problems:
        raise BadBody(problems)


def shown(stored: StoredJob, now: datetime, base: str = "/jobs") -> dict[str, Any]:
    """A job as the API shows it: its fields, its schedule in words, and its state."""
    facts: dict[str, Any] = {"taskCount": 1, **stored.fields, "link": link(stored.job.id, base)}
    facts |= reading(stored, now)
    if stored.last_run_at:
        facts["lastRun"] = _moment(to_text(stored.last_run_at))
        facts["lastRunTasks"] = stored.last_run_tasks
    if stored.next_fire_at:
        facts["estimatedNextRun"] = _moment(to_text(stored.next_fire_at))
    return facts


def answer(
    request: Request,
    body: dict[str, Any],
    status: int = 200,
    headers: dict[str, str] | None = None,
    *,
    tag: str = "",
) -> Response:
    """Answers JSON with an ETag; 304 if the client has this version already."""
    response = JSONResponse(body, status, headers)
    etag = f'"{tag}{hashlib.sha256(response.body).hexdigest()[:20]}"'
    if request.method in ("GET", "HEAD") and etag in _tags(request, "if-none-match"):
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return response


def _resource(**methods: Callable[..., Any]) -> type[HTTPEndpoint]:
    """An endpoint with these methods and OPTIONS; it answers 405 to others."""
    allowed = [method.upper() for method in methods] + ["OPTIONS"]
    allowed += ["HEAD"] if "get" in methods else []

    async def options(_: Any, request: Request) -> Response:
        return HTMLResponse("", headers={"allow": ", ".join(sorted(allowed))})

    def own(method: Callable[[Request], Any]) -> Callable[[Any, Request], Any]:
        async def call(_: Any, request: Request) -> Response:
            response: Response = await method(request)
            return response

        return call

    members = {name: own(method) for name, method in methods.items()}
    return type("Resource", (HTTPEndpoint,), {**members, "options": options})


def _unless_changed(request: Request, old: StoredJob) -> None:
    """Raises `HTTPException` if the request names another generation than the stored one."""
    tags = _tags(request, "if-match")
    named = any(tag.lstrip('"').startswith(f"{old.generation}.") for tag in tags)
    if tags and "*" not in tags and not named:
        raise HTTPException(412, f"Job {old.job.id} has changed.")


def _tags(request: Request, header: str) -> list[str]:
    text = request.headers.get(header, "")
    return [tag.strip().removeprefix("W/") for tag in text.split(",") if tag.strip()]


def _asked_page(request: Request) -> tuple[int, int]:
    """The number of jobs to skip, and the number to show. Raises `BadBody`."""
    only_known(request, _PAGE)
    found: dict[str, int] = {"skip": 0, "count": COUNT}
    problems: dict[str, list[str]] = {}
    for name, most in zip(_PAGE, (_MOST_SKIPPED, MOST), strict=True):
        try:
            found[name] = min(max(int(request.query_params.get(name, found[name])), 0), most)
        except ValueError:  # also for more digits than Python reads
            problems[name] = ["Not a valid integer."]
    if problems:
        raise BadBody(problems)
    return found["skip"], found["count"]


def _moment(text: str) -> str:
    return text.replace(".000Z", "Z").replace("Z", "+00:00")
