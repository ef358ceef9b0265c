"""Runs `watchbot console`: opens what the options name, and serves the pages."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Any, cast

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from watchbot.console.act import QueueActions
from watchbot.console.audit import open_audit
from watchbot.console.fresh import Fresh
from watchbot.console.kept import KeptFailures
from watchbot.console.letter_pages import LetterPages
from watchbot.console.letters.trays import Trays
from watchbot.console.look import LookPages
from watchbot.console.queues import Queues
from watchbot.console.recorded import Recorded
from watchbot.console.render import Renderer
from watchbot.console.schedule_pages import SchedulePart
from watchbot.console.scheduler import ScheduleApi
from watchbot.console.sources import Sources
from watchbot.console.task_pages import TaskPages
from watchbot.console.visit import MAX_BYTES
from watchbot.console.watchers import FailingKind, Watchers
from watchbot.errors import AwsError, DatabaseDown, DatabaseError, SettingError, UsageError
from watchbot.lifecycle import Stop
from watchbot.pages.door import check_door, check_secret
from watchbot.pages.gate import Gate
from watchbot.pages.site import holders, site
from watchbot.pages.visitors import ProxyUsers, TokenHolders, Visitors
from watchbot.settings.base import describe, load
from watchbot.settings.console import ConsoleSettings
from watchbot.settings.status import StatusSettings
from watchbot.web import Served, serving, serving_app

log = logging.getLogger(__name__)


async def console(settings: ConsoleSettings, stop: Stop) -> int:
    """Serves the console until `stop`; returns the exit code.

    Raises `UsageError` or `DatabaseError` for an error that shows before the first page.
    """
    well = Served(unhealthy=lambda: None, unready=lambda: None)
    async with (
        serving(settings.metrics_host, settings.metrics_port, well),
        serving_console(settings) as url,
    ):
        log.info("serving the console", extra={"url": url})
        await stop.draining.wait()
    return 0


@asynccontextmanager
async def serving_console(settings: ConsoleSettings) -> AsyncIterator[str]:
    """Serves the console while open; yields its URL. Raises as `console` does.

    At the end it gives back all dead letters that are open.
    """
    secret = settings.secret
    check_door(settings.host, secret)
    check_secret("look_token", settings.look_token)
    if settings.look_token is not None and secret is None:
        problem = f"limits nobody while others need no token; set {describe('token')}, too"
        raise SettingError(describe("look_token"), problem)
    async with AsyncExitStack() as house:
        audit = await open_audit(settings.database)
        tasks = await house.enter_async_context(anyio.create_task_group())
        house.callback(tasks.cancel_scope.cancel)
        trays = Trays(settings.aws, audit, tasks)
        house.push_async_callback(trays.close)
        queues = Queues(_shown_queues(settings))
        store = await _kept(house, settings)
        named = settings.schedule
        scheduler = ScheduleApi(named, settings.schedule_token) if named else None
        recorded = Recorded(settings.record) if settings.record else None
        sources = Sources(
            settings=settings,
            queues=queues,
            looked=Fresh(queues.look, tasks),
            watchers=Watchers(settings.watcher, settings.watchers_dns, settings.watcher_token),
            trays=trays,
            audit=audit,
            failures=store,
            kinds=Fresh(partial(_kinds, store), tasks) if store else None,
            scheduler=scheduler,
            recorded=recorded,
            tasks=Fresh(recorded.failing, tasks) if recorded else None,
            runs=Fresh(scheduler.failed, tasks) if scheduler else None,
        )
        tasks.start_soon(sources.watchers.read_for_ever)
        tasks.start_soon(trays.tidy_for_ever)
        app = application(sources, secret)
        yield await house.enter_async_context(
            serving_app(app, settings.host, settings.port, "port")
        )


async def _kept(house: AsyncExitStack, settings: ConsoleSettings) -> KeptFailures | None:
    """The failures of `--failures`. A database that is down now is a part that pages miss."""
    if settings.failures is None:
        return None
    kept = KeptFailures(settings.failures, settings.aws)
    try:
        await kept.start(house)
    except DatabaseDown as error:
        log.warning("failures not seen", extra={"reason": str(error)})
    return kept


async def _kinds(store: KeptFailures) -> Sequence[FailingKind]:
    kept = await store.kinds(datetime.now(UTC))
    return [
        FailingKind(each.fingerprint, each.how, each.count, each.last, minutes=each.minutes)
        for each in kept
    ]


def application(sources: Sources, secret: str | None) -> ASGIApp:
    """The console's site, for those who send `secret`, or whom a proxy names."""
    settings, renderer = sources.settings, Renderer()
    inner = Starlette(
        routes=[
            *LookPages(sources, renderer).routes(),
            *LetterPages(sources, renderer).routes(),
            *QueueActions(sources, renderer).routes(),
            *SchedulePart(sources, renderer).routes(),
            *TaskPages(sources, renderer).routes(),
            Route("/console.js", _script),
        ],
        exception_handlers=_handlers(renderer),
    )

    def refused(request: Request, problem: str) -> Response:
        return _problem(renderer, request, 403, problem)

    gate = Gate(inner, settings.public_url, max_bytes=MAX_BYTES, refused=refused)
    return site(
        [Mount("/", gate)],
        host=settings.host,
        visitors=_visitors(settings, secret),
        public_url=settings.public_url,
        scripts=True,
    )


def _visitors(settings: ConsoleSettings, secret: str | None) -> Visitors:
    tokens = TokenHolders(secret, settings.look_token) if secret else holders(None)
    if settings.user_header is None:
        return tokens
    others = tokens if secret else None
    return ProxyUsers(settings.user_header, settings.acting_user, others)


def _shown_queues(settings: ConsoleSettings) -> StatusSettings:
    shown = {"queue_url": settings.queue_url, "queue_prefix": settings.queue_prefix}
    where = {"region": settings.region, "endpoint_url": settings.endpoint_url}
    return load(StatusSettings, {**shown, **where})


def _problem(renderer: Renderer, request: Request, status: int, text: str) -> Response:
    title = {403: "Not allowed", 404: "Not here", 409: "Not now"}.get(status, "Not done")
    return renderer.page(request, "problem.html", status, title=title, text=text)


def _handlers(renderer: Renderer) -> dict[Any, Any]:
    page = partial(_problem, renderer)

    async def refused(request: Request, error: Exception) -> Response:
        http = cast(HTTPException, error)
        return page(request, http.status_code, http.detail)

    async def wrong(request: Request, error: Exception) -> Response:
        return page(request, 400, str(error))

    async def denied(request: Request, error: Exception) -> Response:
        log.warning("page failed", extra={"reason": str(error)})
        return page(request, 502, str(error))

    async def broken(request: Request, error: Exception) -> Response:
        log.error("page failed", exc_info=error)
        return page(request, 500, "This page has a fault; the console's log says which.")

    return {
        HTTPException: refused,
        UsageError: wrong,
        AwsError: denied,
        DatabaseError: denied,
        Exception: broken,
    }


async def _script(_: Request) -> Response:
    text = (files("watchbot.console") / "templates" / "console.js").read_text(encoding="utf-8")
    return Response(text, media_type="text/javascript")
