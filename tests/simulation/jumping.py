"""An event loop whose clock jumps: where nothing is ready, it is at once the next moment.

What runs in it may be told apart into processes: one of them can stand still while the world, the
clocks included, goes on. Pipes may be watched; what is in one is heard at once.
"""

import asyncio
import heapq
import itertools
import select
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, TypeVar

from anyio._backends._asyncio import CancelScope

Result = TypeVar("Result")

_OTHER = {select.POLLIN: select.POLLOUT, select.POLLOUT: select.POLLIN}

PROCESS: ContextVar[str] = ContextVar("PROCESS", default="")  # the one that a task belongs to


class Livelock(AssertionError):
    """The loop took more steps than any sound run needs, or nothing will ever happen again."""


async def elapse(seconds: float) -> None:
    """Lets time go by in the simulation."""
    await asyncio.sleep(seconds)  # the clock jumps: nobody waits


class JumpingLoop(asyncio.BaseEventLoop):
    """Its `time` is in seconds from 0. Raises `Livelock` after `most` steps."""

    _ready: Any  # of asyncio: the handles to be called now, in order
    _scheduled: list[asyncio.TimerHandle]  # and a heap of those to be called later

    def __init__(self, most: int) -> None:
        super().__init__()
        self.steps, self._most, self._seconds = 0, most, 0.0
        self._numbers = itertools.count()
        self._held: dict[str, list[asyncio.Handle]] = {}  # of each process that stands still
        self._watched: dict[tuple[int, int], asyncio.Handle] = {}  # by descriptor, and what for
        self._poll = select.poll()
        self.set_task_factory(self._task)  # type: ignore[arg-type]  # wants a function of any task

    def time(self) -> float:
        return self._seconds

    def freeze(self, process: str) -> None:
        """Lets a process stand still until `thaw`: nothing of it is called."""
        self._held.setdefault(process, [])

    def thaw(self, process: str) -> None:
        """Lets a process go on; what has become due meanwhile is called now."""
        self._ready.extend(self._held.pop(process, ()))

    def add_reader(  # type: ignore[override]  # takes any callback
        self, fd: Any, callback: Callable[..., Any], *args: Any
    ) -> None:
        self._watch(fd, select.POLLIN, asyncio.Handle(callback, args, self))

    def remove_reader(self, fd: Any) -> bool:
        return self._unwatch(fd, select.POLLIN)

    def add_writer(  # type: ignore[override]  # takes any callback
        self, fd: Any, callback: Callable[..., Any], *args: Any
    ) -> None:
        self._watch(fd, select.POLLOUT, asyncio.Handle(callback, args, self))

    def remove_writer(self, fd: Any) -> bool:
        return self._unwatch(fd, select.POLLOUT)

    def _watch(self, fd: int, event: int, handle: asyncio.Handle) -> None:
        self._unwatch(fd, event)
        self._watched[fd, event] = handle
        self._poll.register(fd, event | self._other(fd, event))

    def _unwatch(self, fd: int, event: int) -> bool:
        handle = self._watched.pop((fd, event), None)
        if handle is None:
            return False
        handle.cancel()  # it may be among those that are called next
        if other := self._other(fd, event):
            self._poll.modify(fd, other)
        else:
            self._poll.unregister(fd)
        return True

    def _other(self, fd: int, event: int) -> int:
        """What else a pipe is watched for."""
        other = _OTHER[event]
        return other if (fd, other) in self._watched else 0

    def _task(self, loop: "JumpingLoop", story: Coroutine[Any, Any, Result], **more: Any) -> Any:
        return _Numbered(story, loop=loop, number=next(self._numbers), **more)

    def _run_once(self) -> None:
        self.steps += 1
        if self.steps > self._most:
            raise Livelock(f"{self.steps} steps after {self._seconds:.1f} s")
        if self._watched:
            self._hear()
        if not self._ready:
            self._jump()
        while self._scheduled and self._scheduled[0].when() <= self._seconds:
            self._ready.append(self._next_timer())
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if handle._cancelled:
                continue
            held = self._held_with(handle) if self._held else None
            if held is None:
                # Without asyncio's net: what a callback raises ends the history.
                handle._context.run(handle._callback, *handle._args)
            else:
                held.append(handle)

    def _held_with(self, handle: asyncio.Handle) -> list[asyncio.Handle] | None:
        return self._held.get(_context(handle).get(PROCESS, ""))

    def _hear(self) -> None:
        """Has the handles of pipes called that can be read, or written to, in order."""
        events = dict(self._poll.poll(0))
        if not events:
            return
        for (fd, event), handle in self._watched.items():
            if events.get(fd, 0) & ~_OTHER[event] and self._held_with(handle) is None:
                self._ready.append(handle)

    def _jump(self) -> None:
        while self._scheduled and self._scheduled[0].cancelled():
            self._next_timer()
        if not self._scheduled:
            raise Livelock(f"nothing is left to wait for after {self._seconds:.1f} s")
        self._seconds = max(self._seconds, self._scheduled[0].when())

    def _next_timer(self) -> asyncio.TimerHandle:
        timer = heapq.heappop(self._scheduled)
        timer._scheduled = False  # type: ignore[attr-defined]  # else its cancel is counted
        return timer

    def _write_to_self(self) -> None:
        """Has nobody to wake: there are no threads."""


class _Numbered(asyncio.Task[Any]):
    """A task that sets keep by its number: by its address, they would give another order."""

    def __init__(self, story: Coroutine[Any, Any, Any], *, number: int, **more: Any) -> None:
        self._number = number
        super().__init__(story, **more)

    def __hash__(self) -> int:
        return self._number


def run(loop: JumpingLoop, story: Coroutine[Any, Any, Result]) -> Result:
    """What `story` returns, played on this loop, which is closed then."""
    asyncio.set_event_loop(loop)
    try:
        with _ordered_scopes():
            return loop.run_until_complete(story)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@contextmanager
def _ordered_scopes() -> Iterator[None]:
    # anyio cancels what it keeps in sets, in their order: that must not be one of addresses.
    before = CancelScope.__hash__
    CancelScope.__hash__ = _number_of  # type: ignore[method-assign,assignment]  # its own is the address
    try:
        yield
    finally:
        CancelScope.__hash__ = before  # type: ignore[method-assign]  # undoes the patch


def _number_of(scope: CancelScope) -> int:
    return hash(scope._host_task)


def _context(handle: asyncio.Handle) -> Context:
    return handle._context  # type: ignore[attr-defined,no-any-return]  # asyncio shows it to nobody
