"""Standard output, written to without waiting for whoever reads it.

A reader that stands still must not stand in the way of heartbeats: while the sink is open on an
event loop, what cannot be written now is kept, and goes out when there is room. Whoever writes
much stops when it is `full`, and goes on by `when_room`.
"""

import asyncio
import os
import select
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

PIPE_BYTES = 4096  # a pipe that says it is writable takes so many without making us wait
FULL_BYTES = 262_144  # kept: who can wait, should
MOST_BYTES = 1_048_576  # kept: what cannot wait is dropped, and counted
LAST_WAIT_S = 2.0  # for the reader, when the service is over


class Sink:
    """Writes to the first of `files`, descriptors; to the next once that is closed; then to none.

    Never raises: a log that nobody reads must not cost a message. Outside `open` it waits for the
    reader, as any program does. To be used from one thread.
    """

    def __init__(self, *files: int) -> None:
        self._files = list(files)
        self._poll = self._new_poll()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: deque[bytes] = deque()
        self.kept_bytes = 0  # given to it, and not written yet
        self._dropped = 0
        self.dropped: Callable[[int], None] = self._say_dropped  # told how many, once there is room
        self.moved: Callable[[OSError], None] = lambda fault: None  # told why a file was left
        self._watched: int | None = None
        self._taken_bytes = 0  # ever, kept ones included
        self._room: list[Callable[[], None]] = []
        self._flushes: list[tuple[int, anyio.Event]] = []

    @property
    def full(self) -> bool:
        """Whether so much is kept that no more should be written now."""
        return self.kept_bytes >= FULL_BYTES

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls back, once, when it is no longer `full`."""
        self._room.append(callback)

    def write(self, data: bytes) -> None:
        """Writes whole lines, after all that was written before; keeps what cannot go now."""
        if self._kept and self.kept_bytes + len(data) > MOST_BYTES:
            self._dropped += data.count(b"\n")
            return
        self._taken_bytes += len(data)
        rest = data if self._kept else self._push(data)
        if rest:
            self._keep(rest)
            self._watch()

    async def flushed(self, patience_s: float) -> bool:
        """Waits until all that was given to it is written; False if nothing was for so long."""
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

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """While open, nobody is waited for; on leaving, what is kept gets its last two seconds."""
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
        """Writes as much as goes now; the rest."""
        rest = memoryview(data)
        while rest and self._files:
            # Set to non-blocking, the file would be so for all who share it, a shell's terminal
            # among them. And it may be so already, by one of them.
            if not self._poll.poll(None if self._loop is None else 0):
                return bytes(rest)
            try:
                rest = rest[os.write(self._files[0], rest[:PIPE_BYTES]) :]
            except BlockingIOError:
                continue
            except OSError as fault:  # closed, or its disk is full: the next one, for good
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
                self._watch()  # another file, when the one before was closed
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
