"""Keeps a port from costing its service anything, whatever is done to it.

uvicorn takes every connection, and waits for ever for the first request on it. Here connections are
few, each has so long for its next exchange, and one that waits makes room for one that comes.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 32  # connections at once
REQUEST_S = 20  # from the connection, or the last answer, to a whole request
EXCHANGE_S = 60  # the same to the end of its answer, taken by the client
LOOK_S = 1
ACCEPTS_A_SECOND = 200
ANSWERS = 20  # a connection with more of them, and another request at once, is of a flood
FULL_S = 0.1  # until it is looked again whose connection may be ended
NO_DESCRIPTOR_S = 1  # until a connection is taken again when no descriptor was left

log = logging.getLogger(__name__)


class Talk(H11Protocol):
    """One connection, which knows whether its client keeps it waiting, and since when."""

    waits_since: float
    answers = 0
    on_lost: Callable[["Talk"], None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.waits_since = time.monotonic()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.on_lost(self)

    def on_response_complete(self) -> None:
        self.waits_since = time.monotonic()
        self.answers += 1
        super().on_response_complete()

    @property
    def is_asked(self) -> bool:
        """Whether the next word is ours: a whole request has come, and its answer is not made."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        return not self.flow.write_paused  # what is made is taken by the client, or is not

    def is_late(self, now: float) -> bool:
        """Whether the exchange has taken longer than one may."""
        return now - self.waits_since > (EXCHANGE_S if self.is_asked else REQUEST_S)

    def hang_up(self) -> None:
        """Ends the connection at once, whatever was to be sent."""
        self.transport.abort()


class Doorkeeper:
    """Takes the connections of `listener`, at most `most` at a time.

    `make` gives the `Talk` that a new connection gets.
    """

    def __init__(self, listener: socket.socket, make: Callable[[], Any], most: int = MOST) -> None:
        listener.setblocking(False)
        self._listener, self._make, self._most = listener, make, most
        self._talks: set[Talk] = set()
        self._gone = asyncio.Event()  # a connection has ended

    async def run(self) -> None:
        """Takes connections until cancelled."""
        looking = asyncio.create_task(self._look_for_late_ones())
        try:
            while True:
                await self._make_room()
                await self._accept()
                await asyncio.sleep(1 / ACCEPTS_A_SECOND)  # the work comes first
        finally:
            looking.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, _ = await loop.sock_accept(self._listener)
        except OSError as error:  # no descriptor is left, or the client has gone again
            log.debug("connection not taken: %s", error.strerror)
            await asyncio.sleep(NO_DESCRIPTOR_S)
            return
        try:
            await loop.connect_accepted_socket(self._talk, connection)
        except OSError:  # it has gone again
            connection.close()

    def _talk(self) -> Talk:
        talk: Talk = self._make()
        talk.on_lost = self._lost
        self._talks.add(talk)
        return talk

    def _lost(self, talk: Talk) -> None:
        self._talks.discard(talk)
        self._gone.set()

    async def _make_room(self) -> None:
        """Waits until one more may come; the one that has waited longest for its client leaves."""
        while len(self._talks) >= self._most:
            waiting = [talk for talk in self._talks if not talk.is_asked]
            waiting = waiting or [talk for talk in self._talks if talk.answers > ANSWERS]
            if waiting:
                min(waiting, key=lambda talk: talk.waits_since).hang_up()
            self._gone.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), FULL_S)

    async def _look_for_late_ones(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            for talk in [talk for talk in self._talks if talk.is_late(now)]:
                talk.hang_up()
