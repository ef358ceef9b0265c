"""Serves the socket on which workers ask. One socket serves all of a watcher's runs.

Which run a request is about is not for the request to say: the kernel names the process that has
connected, and this belongs to the run whose session it, or an ancestor of it, is in.
"""

import asyncio
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from inspect import isawaitable

import anyio

from watchbot import metrics
from watchbot.listen.control.peer import process_of, sessions_of
from watchbot.listen.control.verbs import Verbs
from watchbot.listen.control.wire import MOST_LINE, Ungranted, granted, read_request, refused
from watchbot.listen.ends import AtWork, Ends

MOST = 32  # connections at once
MOST_OF_A_RUN = 4
ACCEPTS_A_SECOND = 500
REST = 3  # rest after a request, as a multiple of its time: a flood gets a quarter of the loop
READ_S = 0.00005  # estimated time to read a request and write its reply
NO_DESCRIPTOR_S = 0.1  # pause before the next accept when no descriptor was left
READ_BYTES = 65_536

log = logging.getLogger(__name__)


class ControlServer:
    """Accepts connections of workers' processes, few at a time, and answers their requests.

    While all connections are taken, the one that has waited longest for its client gives way.
    """

    def __init__(self, listener: socket.socket, ends: Ends, verbs: Verbs) -> None:
        self._listener, self._ends, self._verbs = listener, ends, verbs
        self._waiting: dict[anyio.CancelScope, None] = {}  # for their clients; the longest first
        self._of_runs = Counter[int]()
        self._room = anyio.Semaphore(MOST)
        self._turn = anyio.Lock()

    async def run(self) -> None:
        """Accepts connections until cancelled."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as talks:
            while True:
                await self._make_room()
                try:
                    connection, _ = await loop.sock_accept(self._listener)
                except OSError:  # no descriptor is left, or the client has gone
                    self._room.release()
                    await anyio.sleep(NO_DESCRIPTOR_S)
                    continue
                talks.start_soon(self._talk, connection)
                await anyio.sleep(1 / ACCEPTS_A_SECOND)  # leaves the loop to the watcher

    async def _make_room(self) -> None:
        try:
            self._room.acquire_nowait()
        except anyio.WouldBlock:
            for scope in list(self._waiting)[:1]:
                scope.cancel()
            await self._room.acquire()

    async def _talk(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError):
                connection.setblocking(False)
                worker, at_work = self._whose(connection)
                self._of_runs[worker] += 1
                try:
                    await self._converse(connection, worker, at_work)
                finally:
                    self._of_runs[worker] -= 1
                    if not self._of_runs[worker]:
                        del self._of_runs[worker]
        finally:
            self._room.release()

    def _whose(self, connection: socket.socket) -> tuple[int, AtWork | None]:
        """The worker that has connected, by the number of its session, and its run."""
        process = process_of(connection)
        for session in sessions_of(process) if process else ():
            if at_work := self._ends.at_work.get(session):
                return session, at_work
        return 0, None

    async def _converse(
        self, connection: socket.socket, worker: int, at_work: AtWork | None
    ) -> None:
        loop, read = asyncio.get_running_loop(), bytearray()
        while (line := await self._next_line(connection, read)) is not None:
            if at_work is None or self._ends.at_work.get(worker) is not at_work:
                answer, ends = refused("this process belongs to no run of this watcher"), True
            elif self._of_runs[worker] > MOST_OF_A_RUN:
                answer, ends = refused("this run has too many connections open"), True
            elif len(line) > MOST_LINE:
                answer, ends = refused(f"a request has at most {MOST_LINE:,} bytes"), True
            else:
                answer, ends = await self._answer(at_work, line), False
            with self._waits():
                await loop.sock_sendall(connection, answer)
                if not ends:
                    continue
            return

    async def _next_line(self, connection: socket.socket, read: bytearray) -> bytes | None:
        """The next line, or as much of it as is too long; None where the client has gone."""
        loop, seen = asyncio.get_running_loop(), 0
        with self._waits():
            while (end := read.find(b"\n", seen)) < 0 and len(read) <= MOST_LINE:
                seen = len(read)
                data = await loop.sock_recv(connection, READ_BYTES)
                if not data:
                    return None
                read += data
            line = bytes(read[:end] if end >= 0 else read)
            del read[: len(line) + 1]
            return line
        return None

    @contextmanager
    def _waits(self) -> Iterator[None]:
        """Marks what is in it as waiting for the client; cancels it where that has to give way."""
        with anyio.CancelScope() as scope:
            self._waiting[scope] = None
            try:
                yield
            finally:
                del self._waiting[scope]

    async def _answer(self, at_work: AtWork, line: bytes) -> bytes:
        verb, result = "", "refused"
        try:
            async with self._turn:
                began = time.monotonic()
                try:
                    request = read_request(line)
                    verb = request.verb
                    facts = self._verbs.answer(at_work, request)
                finally:
                    await anyio.sleep(REST * (time.monotonic() - began + READ_S))
            facts = await facts if isawaitable(facts) else facts
            result = "ok"
            return granted(facts)
        except Ungranted as refusal:
            return refused(str(refusal))
        except Exception:  # a bug of watchbot in one request must not end the watcher
            log.exception("a worker's request failed", extra={"verb": verb})
            return refused("a fault of watchbot")
        finally:
            label = verb.replace("-", "_") or "unknown"
            metrics.control_requests.labels(label, result).inc()


@asynccontextmanager
async def serving_control(path: str, ends: Ends, verbs: Verbs) -> AsyncIterator[None]:
    """Serves a new socket (0600) at `path` while open. Raises `OSError` when that is not possible.

    The listening socket is one for all runs: each of its own would cost a descriptor and, to make
    it, a fortieth of the time that a watcher has for a message.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.setblocking(False)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(128)
        async with anyio.create_task_group() as serving:
            serving.start_soon(ControlServer(listener, ends, verbs).run)
            try:
                yield
            finally:
                serving.cancel_scope.cancel()
