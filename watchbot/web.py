"""The HTTP server of all services: /metrics, /healthz, /readyz, and a service's own pages."""

import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from watchbot import metrics
from watchbot.address import netloc
from watchbot.errors import SettingError
from watchbot.settings.base import describe

REST = 3  # rest after an answer, as a multiple of its time: a flood gets a quarter of the loop
UNPACED_S = 1  # rest that is not enforced: a scrape and a few probes stay below it
SCRAPE_S = 0.2  # least time between two computations of the metrics
READ_S = 0.0005  # estimated time to read a request and write its answer

log = logging.getLogger(__name__)

Why = Callable[[], str | None]


def _nothing() -> None:
    """Has nothing to say."""


Pages = Mapping[str, Callable[[], object]]  # by path


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a service serves beside its metrics.

    `unhealthy` and `unready` return the reason for a 503, or None for a 200. `remark` returns what
    /readyz then says in place of "ok", or None. `pages` are served as JSON. With `token`, all but
    /healthz and /readyz want it as a bearer token.
    """

    unhealthy: Why
    unready: Why
    remark: Why = _nothing
    pages: Pages = field(default_factory=dict)
    token: str | None = None


@asynccontextmanager
async def serving(host: str, port: int | None, served: Served) -> AsyncIterator[str | None]:
    """Serves while open; yields the URL. Without a `port`, serves nothing and yields None.

    Raises `SettingError` when the address cannot be used.
    """
    if port is None:
        yield None
        return
    app = _metrics_and_health(served)
    async with serving_app(app, host, port, "metrics_port") as url:
        log.info("serving metrics and health", extra={"url": url})
        yield url


@asynccontextmanager
async def serving_app(app: Any, host: str, port: int, option: str) -> AsyncIterator[str]:
    """Serves an ASGI application while open; yields its URL.

    Raises `SettingError`, naming `option`, when the address cannot be used.
    """
    from watchbot.doorkeeper import Doorkeeper

    with _listener(host, port, option) as listener:
        server = _server(app)
        door = Doorkeeper(listener, server.talk)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [])  # the doorkeeper accepts the connections
            async with anyio.create_task_group() as opened:
                opened.start_soon(door.run)
                try:
                    yield f"http://{netloc(host, listener.getsockname()[1])}"
                finally:
                    opened.cancel_scope.cancel()
                    server.should_exit = True


def _listener(host: str, port: int, option: str) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        every = host == "::" and socket.has_dualstack_ipv6()  # also accept IPv4
        return socket.create_server(address[:2], family=family, dualstack_ipv6=every)
    except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is too long
        reason = getattr(error, "strerror", None) or "this is no name of a host"
        raise SettingError(
            describe(option),
            f"cannot serve on {host} port {port}: {reason}; choose another, or 0 for any",
        ) from error


def _metrics_and_health(served: Served) -> Any:
    # Imported here, so that a watcher without a metrics port starts faster and stays smaller.
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import BaseRoute, Mount, Route

    scraped, until = b"", 0.0

    async def scrape(_: Request) -> Response:
        nonlocal scraped, until
        if time.monotonic() >= until:
            scraped = metrics.scrape()
            until = time.monotonic() + SCRAPE_S
        return Response(scraped, media_type=metrics.CONTENT_TYPE)

    def answering(why: Why, remark: Why = _nothing) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            reason = why()
            return PlainTextResponse(f"{reason or remark() or 'ok'}\n", 503 if reason else 200)

        return answer

    def serving_json(page: Callable[[], object]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            return JSONResponse(page())

        return answer

    shown: list[BaseRoute] = [
        Route("/metrics", scrape),
        *(Route(path, serving_json(page)) for path, page in served.pages.items()),
    ]
    health = [
        Route("/healthz", answering(served.unhealthy)),
        Route("/readyz", answering(served.unready, served.remark)),
    ]
    if served.token:
        from watchbot.pages.guard import Guard
        from watchbot.pages.visitors import TokenHolders

        shown = [Mount("/", Guard(Starlette(routes=shown), TokenHolders(served.token)))]
    return _Paced(Starlette(routes=[*health, *shown]))


class _Paced:
    """Answers one request at a time, and rests after many, to leave the loop to the service."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._turn = anyio.Lock()
        self._rests_until = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer: list[Any] = []

        async def keep(part: Any) -> None:
            answer.append(part)

        async with self._turn:
            await anyio.sleep(max(0.0, self._rests_until - UNPACED_S - time.monotonic()))
            began = time.monotonic()
            await self._app(scope, receive, keep)
            ended = time.monotonic()
            rest_s = REST * (ended - began + READ_S)
            self._rests_until = max(self._rests_until, ended) + rest_s
        for part in answer:  # outside the lock: a client that does not read blocks nobody else
            await send(part)


def _server(app: Any) -> Any:
    import uvicorn

    from watchbot.doorkeeper import GuardedTalk

    class Server(uvicorn.Server):
        def talk(self) -> GuardedTalk:
            return GuardedTalk(self.config, self.server_state, self.lifespan.state)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # the service handles signals

    return Server(
        uvicorn.Config(
            app,
            http=GuardedTalk,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
