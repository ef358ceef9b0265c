"""Writes to standard output without waiting for its reader.

A reader that stands still must not block heartbeats. While the sink is open on an event loop, it
keeps bytes that it cannot write now, and writes them when there is room. Code that writes much
should stop while the sink is `full`, and continue by `when_room`.
"""

import asyncio
import os
import select
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

PIPE_BYTES = 4096  # a writable pipe takes this many bytes without blocking
FULL_BYTES = 262_144  # from this many kept bytes on, writers that can wait should wait
MOST_BYTES = 1_048_576  # from this many kept bytes on, further lines are dropped and counted
LAST_WAIT_S = 2.0  # how long the end of the service waits for the reader


class Sink:
    """Writes to the first descriptor of `files` that works; drops all lines when none works.

    Never raises: a log that nobody reads must not cost a message. Outside `open` it waits for the
    reader, as any program does. Use it from one thread only.
    """

    def __init__(self, *files: int) -> None:
        self._files = list(files)
        self._poll = self._new_poll()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: deque[bytes] = deque()
        self.kept_bytes = 0  # taken, but not written yet
        self._dropped = 0
        self.dropped: Callable[[int], None] = self._say_dropped  # called with the number of lines
        self.moved: Callable[[OSError], None] = lambda fault: None  # called when a file fails
        self._watched: int | None = None
        self._taken_bytes = 0  # since the start, kept ones included
        self._room: list[Callable[[], None]] = []
        self._flushes: list[tuple[int, anyio.Event]] = []

    @property
    def full(self) -> bool:
        """Whether writers that can wait should wait now."""
        return self.kept_bytes >= FULL_BYTES

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once, when `full` is false again."""
        self._room.append(callback)

    def write(self, data: bytes) -> None:
        """Writes whole lines after all earlier lines; keeps bytes that it cannot write now."""
        if self._kept and self.kept_bytes + len(data) > MOST_BYTES:
            self._dropped += data.count(b"\n")
            return
        self._taken_bytes += len(data)
        rest = data if self._kept else self._push(data)
        if rest:
            self._keep(rest)
            self._watch()

    async def flushed(self, patience_s: float) -> bool:
        """Waits until all bytes are written; False if no byte was written for `patience_s`."""
        if not self._kept:
            return True
        flush = anyio.Event()
        self._flushes.append((self._taken_bytes, flush))
        self._mark_flushed()
        while not flush.is_set():
            before = self._written_bytes
            with anyio.move_on_after(patience_s):
                await flush.wait()
            if self._written_bytes == before:
                return flush.is_set()
        return True

    def mute(self) -> None:
        """Drops all lines from now on."""
        self._unwatch()
        self._files.clear()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Never waits for the reader while open; on leaving, writes kept bytes for two seconds."""
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            await self.flushed(LAST_WAIT_S)
            self._unwatch()
            self._kept.clear()
            self.kept_bytes = 0
            self._loop = None

    @property
    def _written_bytes(self) -> int:
        return self._taken_bytes - self.kept_bytes

    def _push(self, data: bytes) -> bytes:
        """Writes as many bytes as possible now; returns the rest."""
        rest = memoryview(data)
        while rest and self._files:
            # O_NONBLOCK would hold for all processes that share the file, as a shell does its
            # terminal. One of them may have set it already.
            if not self._poll.poll(None if self._loop is None else 0):
                return bytes(rest)
            try:
                rest = rest[os.write(self._files[0], rest[:PIPE_BYTES]) :]
            except BlockingIOError:
                continue
            except OSError as fault:  # closed, or its disk is full: uses the next file from now on
                self._unwatch()
                del self._files[0]
                self._poll = self._new_poll()
                self.moved(fault)
        return b""

    def _new_poll(self) -> "select.poll":
        poll = select.poll()
        for file in self._files[:1]:
            poll.register(file, select.POLLOUT)
        return poll

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self.kept_bytes += len(data)

    def _watch(self) -> None:
        if self._loop is not None and self._watched is None and self._files:
            self._watched = self._files[0]
            self._loop.add_writer(self._watched, self._go_on)

    def _unwatch(self) -> None:
        if self._loop is not None and self._watched is not None:
            self._loop.remove_writer(self._watched)
        self._watched = None

    def _go_on(self) -> None:
        while self._kept:
            data = self._kept.popleft()
            self.kept_bytes -= len(data)
            if rest := self._push(data):
                self._kept.appendleft(rest)
                self.kept_bytes += len(rest)
                self._watch()  # the file changes when the one before it was closed
                break
        else:
            self._unwatch()
            self._own_up()
        self._mark_flushed()

    def _mark_flushed(self) -> None:
        for mark, flush in self._flushes:
            if mark <= self._written_bytes:
                flush.set()
        self._flushes = [each for each in self._flushes if not each[1].is_set()]
        if not self.full:
            room, self._room = self._room, []
            for callback in room:
                callback()

    def _own_up(self) -> None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.dropped(dropped)

    def _say_dropped(self, lines: int) -> None:
        self.write(f"{lines} lines were dropped: nobody read them\n".encode())


stdout = Sink(1, 2)
