"""A site of server-rendered pages: one style sheet, no scripts, nothing from other sites."""

import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchbot.errors import DatabaseError, DataRefused, UsageError
from watchbot.moment import to_time
from watchbot.pages.door import LOOPBACK, host_of, is_loopback
from watchbot.pages.guard import Guard
from watchbot.pages.visitors import Everybody, TokenHolders, Visitor, Visitors

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    # With no-referrer a browser names the Origin of our own forms "null", as those of strangers.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}

Endpoint = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)


class Templates:
    """The templates in a service's folder `templates`, and the shared `layout.html`."""

    def __init__(self, package: str, filters: Mapping[str, Callable[..., Any]]) -> None:
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("watchbot.pages")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(filters)

    def page(self, name: str, status: int = 200, **facts: Any) -> HTMLResponse:
        """A page, rendered with `facts`; the template escapes each of them."""
        return HTMLResponse(self._environment.get_template(name).render(**facts), status)


def site(
    routes: Sequence[BaseRoute],
    *,
    host: str,
    visitors: Visitors,
    public_url: str | None = None,
    scripts: bool = False,
) -> Starlette:
    """An application with these routes and the style sheet, for those whom `visitors` admits.

    On loopback the application answers only to a loopback Host or that of `public_url` (a proxy's):
    no foreign web site can then read it through a name of its own (DNS rebinding).
    """
    middleware = [Middleware(_Headers, scripts=scripts)]
    if is_loopback(host):
        public = {host_of(urlsplit(public_url).netloc)} if public_url else set[str]()
        middleware.append(Middleware(_Names, names={*LOOPBACK, host, *public}))
    middleware.append(Middleware(Guard, visitors=visitors))
    handlers: dict[Any, Any] = {
        UsageError: _bad_request,
        DataRefused: _unfit,
        DatabaseError: _no_database,
    }
    return Starlette(
        routes=[Route("/style.css", _style), Route("/icon.svg", _icon), *routes],
        middleware=middleware,
        exception_handlers=handlers,
    )


def holders(token: str | None) -> Visitors:
    """Who sends `token`; everybody where there is none."""
    return TokenHolders(token) if token else Everybody()


def visitor(request: Request) -> Visitor:
    """Who sent this request."""
    found: Visitor = request.scope["watchbot.visitor"]
    return found


def asking(endpoint: Endpoint, *names: str) -> Endpoint:
    """Wraps `endpoint` so that it refuses requests with parameters other than `names`.

    To ignore a misspelt filter would show rows that the caller meant to hide.
    """

    @functools.wraps(endpoint)
    async def answer(request: Request) -> Response:
        for name, value in request.query_params.multi_items():
            if name not in names:
                known = ", ".join(names) or "none"
                raise UsageError(f"{name[:40]!r} is no parameter of this page; it knows: {known}")
            if "\0" in value:
                raise UsageError(f"{name} holds a NUL character")
        return await endpoint(request)

    return answer


def shown_time(text: str | None) -> str:
    """A time in the form of `watchbot.moment`, for people: 2026-11-21 03:47:10; None: a dash."""
    return f"{text[:10]} {text[11:19]}" if text else "–"  # noqa: RUF001 - a dash for people


def lasted(seconds: float | None) -> str:
    """A time span for people: 12 min."""
    if seconds is None:
        return "–"  # noqa: RUF001 - a dash for people
    for size_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def zoned(text: str | None, zone: str) -> dict[str, str] | None:
    """A time for `<time>` in a time zone: its attribute, the text, and UTC for a hover.

    UTC stands in for a zone that nobody knows.
    """
    if not text:
        return None
    try:
        there = to_time(text).astimezone(ZoneInfo(zone))
    except (ValueError, KeyError, OSError):  # what ZoneInfo raises, depending on the name
        there, zone = to_time(text), "UTC"
    shown = f"{there:%Y-%m-%d %H:%M:%S} {zone}"
    return {"exact": text, "shown": shown, "utc": f"{shown_time(text)} UTC"}


async def _style(_: Request) -> Response:
    return Response(_file("style.css"), media_type="text/css")


async def _icon(_: Request) -> Response:
    return Response(_file("icon.svg"), media_type="image/svg+xml")


def _file(name: str) -> bytes:
    return (files("watchbot.pages") / "templates" / name).read_bytes()


async def _bad_request(request: Request, error: Exception) -> Response:
    return _refusal(request, str(error), 400)


async def _unfit(request: Request, error: Exception) -> Response:
    return _refusal(request, "the address holds a value that no database stores", 400)


async def _no_database(request: Request, error: Exception) -> Response:
    log.warning("page not served", extra={"reason": str(error)})
    return _refusal(request, "the database does not answer; try again", 503)


def _refusal(request: Request, text: str, status: int) -> Response:
    if request.url.path.startswith("/v1/"):
        return JSONResponse({"message": text}, status)
    return PlainTextResponse(f"{text}\n", status)


class _Headers:
    """Adds headers to every answer that keep browsers from loading anything from elsewhere."""

    def __init__(self, app: ASGIApp, *, scripts: bool) -> None:
        self._app = app
        policy = f"{_POLICY}; script-src 'self'; connect-src 'self'" if scripts else _POLICY
        self._headers = {**_HEADERS, "content-security-policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in self._headers.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, with_headers)


class _Names:
    """Refuses requests whose Host is not one of `names`."""

    def __init__(self, app: ASGIApp, names: Set[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if scope["type"] == "http":
            request = Request(scope)
            named = request.headers.get("host", "")
            if host_of(named) not in self._names:
                text = (
                    f"this page is served on loopback only, and refuses the Host {named[:100]!r}; "
                    "behind a proxy, set --public-url to the address that the proxy serves"
                )
                answer = _refusal(request, text, 400)
        await answer(scope, receive, send)
