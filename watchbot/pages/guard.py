"""Lets only those pass whom a rule admits."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from watchbot.pages.visitors import Visitors


class Guard:
    """Lets only admitted visitors pass, and notes who they are, for `site.visitor`."""

    def __init__(self, app: ASGIApp, visitors: Visitors) -> None:
        self._app, self._visitors = app, visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if scope["type"] == "http":
            scope["watchbot.visitor"] = self._visitors.admit(Request(scope).headers)
            if scope["watchbot.visitor"] is None:
                answer = PlainTextResponse(
                    "send the token that this server was started with\n",
                    401,
                    {"www-authenticate": "Basic, Bearer"},
                )
        await answer(scope, receive, send)
