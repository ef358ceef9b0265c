"""Finds processes that workers leave behind outside their process groups, and reaps the dead.

On Linux the watcher is a subreaper: a process whose parent has ended becomes a child of the
watcher's main thread. A second thread starts all workers, and so is their parent. Hence the
children of the main thread are exactly the processes that workers left, and the search costs
nothing while workers leave none. The session of a process tells its worker; a process with a
session of its own still has its worker's variables. On other systems the search finds nothing.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import anyio

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
READ_BYTES = 65_536
REST = 4  # pause between two looks, as a multiple of the last look's duration
REAP_S = 5  # how long a dead orphan stays a zombie at most

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Orphans:
    """Processes that the workers of this process have left, by worker."""

    def __init__(self) -> None:
        self._starter: ThreadPoolExecutor | None = None
        self._marks: dict[int, bytes | None] = {}  # of running workers, by process id
        self._workers: dict[bytes, int] = {}  # by their marks
        self._owners: dict[int, int | None] = {}  # worker of each known orphan, None if unknown
        self._left: defaultdict[int, set[int]] = defaultdict(set)
        self._unreaped: set[int] = set()
        self._rests_until = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = asyncio.Event()
        self.seen = 0  # processes looked at, all looks together

    def start(self, start: Callable[_P, int], *args: _P.args, **kwargs: _P.kwargs) -> int:
        """Calls `start`, which starts a process, in the thread that is the parent of all workers.

        Raises `OSError` when the machine has no room for that thread, and every error of `start`.
        """
        if self._starter is None:
            _become_subreaper()
            self._starter = ThreadPoolExecutor(1, "start")
        try:
            started = self._starter.submit(start, *args, **kwargs)
        except RuntimeError as error:
            self._starter = None
            raise BlockingIOError(11, "no room for a thread") from error
        return started.result()

    def expect(self, worker: int, mark: bytes | None) -> None:
        """Notes that `worker` has begun; processes in its session or with `mark` belong to it."""
        self._marks[worker] = mark
        if mark is not None:
            self._workers[mark] = worker

    def forget(self, worker: int, *, reaped: bool) -> None:
        """Notes that `worker` is over; orphans of it that still live have no owner from now on."""
        mark = self._marks.pop(worker)
        if mark is not None:
            self._workers.pop(mark, None)
        for orphan in self._left.pop(worker, ()):
            self._owners[orphan] = None
        if not reaped:
            self._unreaped.add(worker)

    def of(self, worker: int) -> list[int]:
        """The orphans of `worker` that lived at the last look; their ids are not reused."""
        return list(self._left.get(worker, ()))

    async def look(self) -> None:
        """Looks at all orphans, so that `of` is up to date.

        Callers that ask at one time share one look: it may be slow when there are many orphans.
        """
        loop = asyncio.get_running_loop()
        rest_s = self._rests_until - time.monotonic()
        if rest_s <= 0:
            self.look_now()
            return
        if self._due.is_set() or self._loop is not loop:
            self._due, self._loop = asyncio.Event(), loop
            loop.call_later(rest_s, self._look_for_all)
        await self._due.wait()

    def look_now(self) -> None:
        """Looks at all orphans, and reaps the dead: a subreaper must do that itself."""
        began = time.monotonic()
        children = set(_children())
        for gone in self._owners.keys() - children:
            self._drop(gone)
        for child in children:
            self._look_at(child)
        self._unreaped -= {worker for worker in self._unreaped if _reap(worker)}
        self.seen += len(children)
        ended = time.monotonic()
        self._rests_until = ended + REST * (ended - began)

    def all(self) -> list[int]:
        """All workers' orphans that lived at the last look."""
        return list(self._owners)

    def _look_for_all(self) -> None:
        due = self._due
        self.look_now()
        due.set()

    def _look_at(self, child: int) -> None:
        owner = self._owners.get(child)
        if child not in self._owners and _session(child) == os.getsid(0):
            return  # other code of this process has started it
        if _reap(child):
            self._drop(child)
        elif owner is None:
            self._owners[child] = owner = self._owner_of(child)
            if owner is not None:
                self._left[owner].add(child)

    def _owner_of(self, child: int) -> int | None:
        session = _session(child)
        if session in self._marks:
            return session
        with contextlib.suppress(OSError):
            for variable in _content(f"/proc/{child}/environ").split(b"\0"):
                if variable in self._workers:
                    return self._workers[variable]
        return None

    def _drop(self, orphan: int) -> None:
        owner = self._owners.pop(orphan, None)
        if owner is not None:
            self._left[owner].discard(orphan)
            if not self._left[owner]:
                del self._left[owner]


orphans = Orphans()  # a process has one set of children


async def reap_for_ever() -> None:
    """Reaps dead orphans every few seconds."""
    while True:
        await anyio.sleep(REAP_S)
        orphans.look_now()


def kill(process: int) -> bool:
    """Kills a process; returns whether the kernel allowed that."""
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGKILL)
        return True
    return False


def kill_group(leader: int) -> None:
    """Kills all processes of a group, as far as the kernel allows that."""
    with contextlib.suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


def is_immortal(process: int) -> bool:
    """Whether the process lives and runs as another user, so that watchbot cannot signal it."""
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        pass
    return False


def with_descendants(processes: list[int]) -> Iterator[tuple[int, str]]:
    """Yields number and name of these processes and of all their descendants."""
    for process in processes:
        with contextlib.suppress(OSError):
            name = _content(f"/proc/{process}/comm").decode(errors="backslashreplace")
            yield process, name.removesuffix("\n")
            for thread in os.listdir(f"/proc/{process}/task"):
                yield from with_descendants(list(_children(process, thread)))


def _become_subreaper() -> None:
    """Makes orphans of this process's descendants its children."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a libc without prctl: no orphans
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _children(process: int | None = None, thread: str | None = None) -> Iterator[int]:
    """The children of a thread; by default of our main thread, which inherits orphans."""
    path = f"{process or 'self'}/task/{thread or os.getpid()}"
    with contextlib.suppress(OSError):
        yield from map(int, _content(f"/proc/{path}/children").split())


def _reap(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:
        return True  # other code of this process has reaped it


def _content(path: str) -> bytes:
    """All bytes of a file of /proc; without Python's buffers, as this runs after each worker."""
    file = os.open(path, os.O_RDONLY)
    try:
        return b"".join(iter(lambda: os.read(file, READ_BYTES), b""))
    finally:
        os.close(file)


def _session(process: int) -> int:
    try:
        return os.getsid(process)
    except ProcessLookupError:
        return 0
