"""Limits connections, so that no client can overload a service through its port.

uvicorn accepts every connection, and waits without limit for its first request. The doorkeeper
accepts a few, gives each a time limit, and closes the idlest one to accept a new one.
"""

import asyncio
import logging
import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import anyio
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 32  # connections at once
REQUEST_S = 20  # limit from the connection, or its last answer, to a whole request
EXCHANGE_S = 60  # limit from there to the end of the answer, read by the client
LOOK_S = 1  # between two looks for late connections
ACCEPTS_A_SECOND = 200
ANSWERS = 20  # a busy connection with more answers counts as part of a flood
FULL_S = 0.1  # pause before the next search for a connection to close
NO_DESCRIPTOR_S = 1  # pause before the next accept when no descriptor was left

log = logging.getLogger(__name__)


class GuardedTalk(H11Protocol):
    """One connection; knows whether it waits for its client, and since when."""

    waits_since = math.inf  # until the event loop tells it of its connection
    answers = 0
    on_lost: Callable[["GuardedTalk"], None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrows the type
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
        """Whether a whole request has come that the service has not answered yet."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        return not self.flow.write_paused  # paused: the client does not read its answer

    def is_late(self, now: float) -> bool:
        """Whether the exchange has passed its time limit."""
        return now - self.waits_since > (EXCHANGE_S if self.is_asked else REQUEST_S)

    def hang_up(self) -> None:
        """Closes the connection at once, dropping unsent data."""
        self.transport.abort()


class Doorkeeper:
    """Accepts the connections of `listener`, at most `most` at a time.

    `make` creates the `GuardedTalk` of a new connection.
    """

    def __init__(
        self, listener: socket.socket, make: Callable[[], GuardedTalk], most: int = MOST
    ) -> None:
        listener.setblocking(False)
        self._listener, self._make, self._most = listener, make, most
        self._talks: set[GuardedTalk] = set()
        self._gone = asyncio.Event()  # a connection has ended

    async def run(self) -> None:
        """Accepts connections until cancelled."""
        async with anyio.create_task_group() as looking:
            looking.start_soon(self._look_for_late_ones)
            while True:
                await self._make_room()
                await self._accept()
                await asyncio.sleep(1 / ACCEPTS_A_SECOND)  # leaves the loop to the service

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, _ = await loop.sock_accept(self._listener)
        except OSError as error:  # no descriptor is left, or the client has left
            log.debug("connection not taken: %s", error.strerror)
            await asyncio.sleep(NO_DESCRIPTOR_S)
            return
        talk = self._make()
        talk.on_lost = self._lost
        self._talks.add(talk)
        try:
            # Else a browser that keeps its connection waits 40 ms for the end of each answer: the
            # loop does this for sockets that know their protocol alone, and this one does not.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(lambda: talk, connection)
        except OSError:  # the client has left
            connection.close()
            self._lost(talk)

    def _lost(self, talk: GuardedTalk) -> None:
        self._talks.discard(talk)
        self._gone.set()

    async def _make_room(self) -> None:
        """Waits for room; closes the connection that has waited longest for its client."""
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
