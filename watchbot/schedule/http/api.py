"""Joins ecs-scheduler's API, `/v1` and the pages, behind one guard and one error format."""

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from watchbot.errors import DatabaseError, MissingExtra
from watchbot.pages.gate import Gate
from watchbot.pages.site import holders, site
from watchbot.schedule.http.body import BadBody, answer_problems, answer_status
from watchbot.schedule.http.operations import operations, spec
from watchbot.schedule.http.rest import JobRules, Rest
from watchbot.schedule.job.endpoints import Endpoints
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.store.declared import source_of
from watchbot.schedule.store.store import Store
from watchbot.schedule.store.stored import NeverFires
from watchbot.settings.schedule import ScheduleSettings

try:
    from fastapi.exceptions import RequestValidationError

    from watchbot.schedule.http.page import SchedulePages
    from watchbot.schedule.http.v1 import V1, wrong_request
except ImportError as error:
    raise MissingExtra("schedule", "`watchbot schedule`") from error

Handler = Callable[[Request, Exception], Awaitable[Response]]

log = logging.getLogger(__name__)


def application(settings: ScheduleSettings, store: Store, scheduler: Scheduler) -> ASGIApp:
    """The ASGI application for this store; tells `scheduler` of changes."""
    limits = JobRules(
        followed=source_of(settings.stacks_table),
        endpoints=Endpoints(settings.aws, settings.allow_endpoint),
    )
    v1 = V1(store, scheduler.look, limits).application()
    rest = Rest(store, scheduler.look, limits)
    able = (*operations(spec()), *operations(v1.openapi(), "/v1"))
    pages = SchedulePages(store, scheduler.look, able)
    inner = Starlette(routes=[Mount("/v1", v1), *pages.routes(), *rest.routes()])
    for app in (inner, v1):
        for kind, handler in _REFUSALS.items():
            app.add_exception_handler(kind, _with_pages(handler, pages))

    def refused(request: Request, problem: str) -> Response:
        asked_for_page = request.url.path.startswith("/page")
        return pages.problem(403, problem) if asked_for_page else _refusal(problem, 403)

    gate = Gate(inner, settings.public_url, settings.cors_origin, refused=refused)
    whole = site(
        [Mount("/", gate)],
        host=settings.host,
        visitors=holders(settings.token),
        public_url=settings.public_url,
    )
    return _with_guests(whole, settings.cors_origin) if settings.cors_origin else whole


def _with_pages(handler: Handler, pages: SchedulePages) -> Handler:
    """Answers a refusal as a page where a page was asked for, else by `handler`."""

    async def refuse(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        if not request.url.path.startswith("/page"):
            return answer
        told = json.loads(bytes(answer.body))
        problems = {name: " ".join(texts) for name, texts in told.get("messages", {}).items()}
        text = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        return pages.problem(answer.status_code, told.get("message") or text)

    return refuse


def _with_guests(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Answers CORS requests for pages of `origins`, before the check of the token."""
    shown = ["ETag", "Location"]
    return CORSMiddleware(
        app, origins, allow_methods=["*"], allow_headers=["*"], expose_headers=shown
    )


def _refusal(text: str, status: int) -> Response:
    return JSONResponse({"message": text}, status)


async def _no_database(_: Request, error: Exception) -> Response:
    log.warning("request not served", extra={"reason": str(error)})
    return _refusal("The database does not answer; try again.", 503)


async def _bad_request(_: Request, error: Exception) -> Response:
    invalid = cast(RequestValidationError, error)
    return JSONResponse({"messages": wrong_request(invalid)}, 400)


_REFUSALS: dict[Any, Any] = {
    BadBody: answer_problems,
    DatabaseError: _no_database,
    HTTPException: answer_status,
    NeverFires: answer_problems,
    RequestValidationError: _bad_request,
    ValidationError: answer_problems,
}
