"""Refuses requests that a browser sends for another web site, and bodies that are too big."""

from collections.abc import Callable, Sequence

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchbot.pages.door import Site, site_of

MAX_BYTES = 65_536


Refused = Callable[[Request, str], Response]


def _as_json(_: Request, problem: str) -> Response:
    return JSONResponse({"message": problem}, 403)


class Gate:
    """Refuses requests from other web sites, and bodies of more than `max_bytes`.

    A browser sends some requests on behalf of any site, and names that site in a header.
    `public_url` is our address behind a proxy. `guests` are other sites that may send requests; `*`
    means all sites. `refused` makes the answer to a request of another site, from the reason.
    """

    def __init__(
        self,
        app: ASGIApp,
        public_url: str | None = None,
        guests: Sequence[str] = (),
        *,
        max_bytes: int = MAX_BYTES,
        refused: Refused = _as_json,
    ) -> None:
        self._app, self._any, self._max_bytes = app, "*" in guests, max_bytes
        self._refused = refused
        self._ours = {site_of(public_url)} if public_url else set[Site]()
        self._guests = {site_of(guest) for guest in guests}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self._foreign(scope["path"], headers)
        if problem:
            await self._refused(Request(scope), problem)(scope, receive, send)
            return
        taken = 0

        async def receive_some() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_bytes:
                raise HTTPException(413, f"A body has {self._max_bytes} bytes at most.")
            return message

        await self._app(scope, receive_some, send)

    def _foreign(self, path: str, headers: Headers) -> str | None:
        """The reason to refuse a request of another web site, or None."""
        origin, host = headers.get("origin"), headers.get("host", "")
        if not origin or origin.partition("//")[2] == host or site_of(origin) in self._ours:
            return None
        # A browser sends a password that it knows for any site; a token, a site has to know.
        invited = self._any or site_of(origin) in self._guests
        by_password = headers.get("authorization", "").lower().startswith("basic")
        if invited and not by_password and not path.startswith("/page"):
            return None
        return (
            f"Not for requests of another web site: the Origin is {origin[:100]}, the Host "
            f"{host[:100]}. Behind a proxy, let it keep the header Host, or set --public-url; "
            "--cors-origin lets another site use the API."
        )
