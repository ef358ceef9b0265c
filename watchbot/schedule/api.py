"""All that is served: ecs-scheduler's contract, `/v1`, the pages; one guard, one way to say no."""

import logging
from typing import Any, cast

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from watchbot.errors import DatabaseError, MissingExtra
from watchbot.pages.site import LOOPBACK, site
from watchbot.schedule.body import BadBody, Gate, tell_problems, tell_status
from watchbot.schedule.declared import source_of
from watchbot.schedule.operations import operations, spec
from watchbot.schedule.rest import Rest
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.store import Store
from watchbot.schedule.stored import NeverFires
from watchbot.settings.schedule import ScheduleSettings

try:
    from fastapi.exceptions import RequestValidationError

    from watchbot.schedule.page import Pages
    from watchbot.schedule.v1 import V1, wrong_request
except ImportError as error:
    raise MissingExtra("schedule", "`watchbot schedule`") from error

log = logging.getLogger(__name__)


def application(settings: ScheduleSettings, store: Store, scheduler: Scheduler) -> Starlette:
    """The API over this store; `scheduler` is told of what has changed."""
    if settings.host not in LOOPBACK and not settings.token:
        log.warning("anybody who reaches the API may start tasks; set --token")
    followed = source_of(settings.stacks_table)
    v1 = V1(store, scheduler.look, followed).application()
    rest = Rest(store, scheduler.look, followed)
    able = (*operations(spec()), *operations(v1.openapi(), "/v1"))
    pages = Pages(store, scheduler.look, able)
    inner = Starlette(routes=[Mount("/v1", v1), *pages.routes(), *rest.routes()])
    for app in (inner, v1):
        for kind, handler in _REFUSALS.items():
            app.add_exception_handler(kind, handler)
    return site([Mount("/", Gate(inner))], host=settings.host, token=settings.token)


async def _no_database(_: Request, error: Exception) -> Response:
    log.warning("request not served", extra={"reason": str(error)})
    return JSONResponse({"message": "The database does not answer; try again."}, 503)


async def _bad_request(_: Request, error: Exception) -> Response:
    invalid = cast(RequestValidationError, error)
    return JSONResponse({"messages": wrong_request(invalid)}, 400)


_REFUSALS: dict[Any, Any] = {
    BadBody: tell_problems,
    DatabaseError: _no_database,
    HTTPException: tell_status,
    NeverFires: tell_problems,
    RequestValidationError: _bad_request,
    ValidationError: tell_problems,
}
