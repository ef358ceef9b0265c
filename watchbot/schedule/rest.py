"""The REST API of ecs-scheduler, as its clients know it: `/`, `/jobs`, `/jobs/ID`, `/spec`."""

import hashlib
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchbot.moment import to_text
from watchbot.schedule.body import BadBody, read_object
from watchbot.schedule.declared import refuse_declared
from watchbot.schedule.job import Job, is_name, resolved
from watchbot.schedule.store import Jobs
from watchbot.schedule.stored import StoredJob, Taken

COUNT = 10  # jobs of a page, if the address does not say
MOST = 1000
TRIES = 10  # of a change that others keep overtaking
_MOST_SKIPPED = 2**31


def spec() -> dict[str, Any]:
    """The contract, as Swagger 2 describes it."""
    text = (files("watchbot.schedule") / "spec.json").read_text(encoding="utf-8")
    described: dict[str, Any] = json.loads(text)
    return described


class Rest:
    """Its routes, over these jobs; `look` is called when one has changed.

    `followed` is the source that jobs are kept in step with.
    """

    def __init__(self, jobs: Jobs, look: Callable[[], None], followed: str | None = None) -> None:
        self._jobs, self._look, self._followed = jobs, look, followed

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
        skip = _whole(request, "skip", 0, _MOST_SKIPPED)
        count = _whole(request, "count", COUNT, MOST)
        jobs, total = await self._jobs.page(skip, count)
        body: dict[str, Any] = {"jobs": [shown(job) for job in jobs]}
        if skip and count:
            # No more than there are before this page: else two pages would overlap.
            body["prev"] = _page(max(skip - count, 0), min(count, skip))
        if count and skip + count < total:
            body["next"] = _page(skip + count, count)
        return answer(request, body)

    async def create(self, request: Request) -> Response:
        job = Job.model_validate(_named(resolved(_without_nulls(await read_object(request)))))
        try:
            await self._jobs.add(job)
        except Taken:
            raise HTTPException(409, f"Job {job.id} already exists.") from None
        self._look()
        body = {"id": job.id, "link": link(job.id)}
        return answer(request, body, 201, {"location": link(job.id)["href"]})

    async def read(self, request: Request) -> Response:
        job = await found(self._jobs, request.path_params["job_id"])
        return answer(request, shown(job), tag=f"{job.generation}.")

    async def update(self, request: Request) -> Response:
        given = await read_object(request)
        job_id: str = request.path_params["job_id"]
        for _ in range(TRIES):
            old = await found(self._jobs, job_id)
            _unless_changed(request, old)
            merged = _without_nulls({**old.fields, **given, "id": job_id})
            job = Job.model_validate(resolved(merged))
            if await self._jobs.change(old, job):
                self._look()
                return answer(request, {"id": job_id, "link": link(job_id)})
        raise HTTPException(409, f"Job {job_id} is being changed by others; try again.")

    async def delete(self, request: Request) -> Response:
        old = await found(self._jobs, request.path_params["job_id"])
        _unless_changed(request, old)
        refuse_declared(old, self._followed)
        only = old.generation if "if-match" in request.headers else None
        if not await self._jobs.remove(old.job.id, only):
            await found(self._jobs, old.job.id)  # somebody else was faster, or has changed it
            raise HTTPException(412, f"Job {old.job.id} has changed.")
        return answer(request, {"id": old.job.id})


async def found(jobs: Jobs, job_id: str) -> StoredJob:
    """The job of this name. Raises `HTTPException` (404)."""
    job = await jobs.find(job_id) if is_name(job_id) else None
    if job is None:
        raise HTTPException(404, f"Job {job_id} does not exist.")
    return job


def link(job_id: str) -> dict[str, str]:
    """Where a job is."""
    return {"rel": "item", "title": f"Job for {job_id}", "href": f"/jobs/{quote(job_id)}"}


def shown(stored: StoredJob) -> dict[str, Any]:
    """A job as the API shows it: what was written, and what has become of it."""
    facts: dict[str, Any] = {"taskCount": 1, **stored.fields, "link": link(stored.job.id)}
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
    """JSON with an ETag; 304 for whoever has it already."""
    response = JSONResponse(body, status, headers)
    etag = f'"{tag}{hashlib.sha256(response.body).hexdigest()[:20]}"'
    if request.method in ("GET", "HEAD") and etag in _tags(request, "if-none-match"):
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return response


def _resource(**methods: Callable[..., Any]) -> type[HTTPEndpoint]:
    """An endpoint of these methods, and OPTIONS; any other is 405."""
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
    """Lets through whoever names the generation that is there, or none. Raises `HTTPException`."""
    tags = _tags(request, "if-match")
    named = any(tag.lstrip('"').startswith(f"{old.generation}.") for tag in tags)
    if tags and "*" not in tags and not named:
        raise HTTPException(412, f"Job {old.job.id} has changed.")


def _tags(request: Request, header: str) -> list[str]:
    text = request.headers.get(header, "")
    return [tag.strip().removeprefix("W/") for tag in text.split(",") if tag.strip()]


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """With its id: that of the task definition, where none is given."""
    if "id" in fields:
        return fields
    if "taskDefinition" not in fields and "target" not in fields:
        raise BadBody({"taskDefinition": ["Missing data for required field."]})
    return {**fields, "id": fields["taskDefinition"]} if "taskDefinition" in fields else fields


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    # null unsets a field: it is as if it had never been given.
    return {name: value for name, value in fields.items() if value is not None}


def _whole(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        return min(max(int(text[:20]), 0), most)
    except ValueError:
        raise BadBody({name: ["Not a valid integer."]}) from None


def _page(skip: int, count: int) -> str:
    asked = {"count": count, "skip": skip}
    defaults = {"count": COUNT, "skip": 0}
    query = urlencode({name: asked[name] for name in asked if asked[name] != defaults[name]})
    return f"/jobs?{query}" if query else "/jobs"


def _moment(text: str) -> str:
    return text.replace(".000Z", "Z").replace("Z", "+00:00")
