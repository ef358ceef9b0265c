"""The HTTP server that services share: /metrics, /healthz, /readyz, and what a service adds."""

import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio

from watchbot import metrics
from watchbot.errors import SettingError
from watchbot.settings.base import describe

log = logging.getLogger(__name__)

Why = Callable[[], str | None]
Pages = Mapping[str, Callable[[], object]]  # by path


@asynccontextmanager
async def serving(
    host: str, port: int | None, unhealthy: Why, unready: Why, pages: Pages | None = None
) -> AsyncIterator[str | None]:
    """Serves while open; gives the URL, or None when `port` is None and nothing is served.

    `unhealthy` and `unready` say why the answer is 503, or None for 200. `pages` are
    a service's own, served as JSON. Raises `SettingError` when the address cannot be had.
    """
    if port is None:
        yield None
        return
    app = _metrics_and_health(unhealthy, unready, pages or {})
    async with serving_app(app, host, port, "metrics_port") as url:
        log.info("serving metrics and health", extra={"url": url})
        yield url


@asynccontextmanager
async def serving_app(app: Any, host: str, port: int, option: str) -> AsyncIterator[str]:
    """Serves an ASGI application while open; gives its URL.

    Raises `SettingError`, which names `option`, when the address cannot be had.
    """
    listener = _listener(host, port, option)
    server = _server(app)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True


def _listener(host: str, port: int, option: str) -> socket.socket:
    try:
        return socket.create_server((host, port), reuse_port=False)
    except OSError as error:
        raise SettingError(
            describe(option),
            f"cannot serve on {host} port {port}: {error.strerror}; choose another, or 0 for any",
        ) from error


def _metrics_and_health(unhealthy: Why, unready: Why, pages: Pages) -> Any:
    # Imported here: a watcher without a metrics port starts faster, and smaller.
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    async def scrape(_: Request) -> Response:
        return Response(metrics.scrape(), media_type=metrics.CONTENT_TYPE)

    def answering(why: Why) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            reason = why()
            return PlainTextResponse(f"{reason or 'ok'}\n", 503 if reason else 200)

        return answer

    def serving_json(page: Callable[[], object]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            return JSONResponse(page())

        return answer

    routes = [
        Route("/metrics", scrape),
        Route("/healthz", answering(unhealthy)),
        Route("/readyz", answering(unready)),
        *(Route(path, serving_json(page)) for path, page in pages.items()),
    ]
    return Starlette(routes=routes)


def _server(app: Any) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are the service's

    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
