"""HTTP/1.1 on loopback, as the programs of one worker speak it.

httptools, and not aiohttp: it takes a fifth of the time, and shows trailers, which aiohttp's
parser hands on with the next request.
"""

import asyncio
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Protocol

import httptools

MAX_CONNECTIONS = 128  # at one port, at once
MAX_HEAD_BYTES = 2 * 1024 * 1024  # the cause of an error comes in a header of up to 1 MB
MAX_READ_BYTES = 64 * 1024 * 1024  # of one body: a longer body ends the connection
READ_BYTES = 65_536
MAX_WAITING = 16  # requests that one connection has sent ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request. Names of headers and trailers are in lower case.

    `size` is what the body had; a body of more than the limit is not kept.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    trailers: Mapping[str, str]
    body: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; its body is JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Desk(Protocol):
    """Answers requests. All of it is called on the event loop, and must not wait."""

    max_body_bytes: int

    def asked(self, request: Request, talk: "Talk") -> None:
        """Takes a request, and answers it, now or later, by one `talk.reply`."""

    def gone(self, talk: "Talk") -> None:
        """Notes that the connection has ended; its requests need no reply."""

    def garbled(self, what: str) -> None:
        """The bytes are no request; `what` says why. The connection is closed."""


class Talk(asyncio.Protocol):
    """A connection. The desk answers its requests in order, one at a time."""

    def __init__(self, desk: Desk, talks: set["Talk"]) -> None:
        self._desk, self._talks = desk, talks
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy = False  # a request is with the desk
        self._stays = True  # the connection is kept after the answer
        self.on_message_begin()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrows the type
        self._transport = transport
        if len(self._talks) >= MAX_CONNECTIONS:
            self._break_off(f"more than {MAX_CONNECTIONS} connections")
            return
        self._talks.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self in self._talks:
            self._talks.discard(self)
            self._desk.gone(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            # To go on with another protocol: not taken up. The request itself is answered.
            if rest := data[offer.args[0] :]:
                self.data_received(rest)
        except httptools.HttpParserError as error:
            self._break_off(str(error) or "no HTTP")
        else:
            if len(self._waiting) > MAX_WAITING:
                self._break_off(f"more than {MAX_WAITING} requests sent ahead")

    def reply(self, reply: Reply) -> None:
        """Answers the request that the desk was asked last; the next one may then come."""
        if self._transport is None:
            return
        lines = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            "Content-Type: application/json",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
            f"Content-Length: {len(reply.body)}",
            *(() if self._stays else ("Connection: close",)),
        ]
        self._transport.write("\r\n".join((*lines, "", "")).encode() + reply.body)
        self._busy = False
        if not self._stays:
            self._transport.close()
        self._go_on()

    def read_dry(self) -> None:
        """Reads the bytes that have arrived, without waiting for the event loop."""
        while self._transport is not None and not self._transport.is_closing():
            try:
                data = os.read(self._transport.get_extra_info("socket").fileno(), READ_BYTES)
            except OSError:
                return
            if not data:
                return
            self.data_received(data)

    def hang_up(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # The parser calls these methods, in this order.

    def on_message_begin(self) -> None:
        self._url = b""
        self._head_bytes = self._size = 0
        self._headers: dict[str, str] = {}
        self._trailers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._in_body = False

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        found = self._trailers if self._in_body else self._headers
        found[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._in_body = True
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._desk.max_body_bytes:
            self._body.append(body)
        elif self._size > MAX_READ_BYTES:
            self._break_off(f"a body of more than {MAX_READ_BYTES:,} bytes")

    def on_message_complete(self) -> None:
        request = Request(
            method=self._parser.get_method().decode(),
            path=self._url.decode("latin-1").partition("?")[0],
            headers=self._headers,
            trailers=self._trailers,
            body=b"".join(self._body) if self._size <= self._desk.max_body_bytes else b"",
            size=self._size,
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._go_on()

    def _count(self, more: int) -> None:
        self._head_bytes += more
        if self._head_bytes > MAX_HEAD_BYTES:
            self._break_off(f"headers of more than {MAX_HEAD_BYTES:,} bytes")

    def _go_on(self) -> None:
        open_still = self._transport is not None and not self._transport.is_closing()
        if self._waiting and not self._busy and open_still:
            self._busy = True
            request, self._stays = self._waiting.popleft()
            self._desk.asked(request, self)

    def _break_off(self, why: str) -> None:
        self._waiting.clear()
        if self._transport is not None and not self._transport.is_closing():
            self._desk.garbled(why)
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            self._transport.close()


class Server:
    """Serves a `Desk` on a free port of 127.0.0.1."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._talks: set[Talk] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> str:
        """Begins to listen; returns the address, `host:port`. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        make = partial(Talk, self._desk, self._talks)
        self._server = await loop.create_server(make, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def read_dry(self) -> None:
        """Reads the bytes that clients have sent so far."""
        for talk in list(self._talks):
            talk.read_dry()

    def close(self) -> None:
        """Ends all connections at once."""
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.hang_up()
