"""Finds and ends what a worker leaves behind outside its process group, and reaps the dead.

A process that daemonises leaves its group. On Linux the watcher is a subreaper: such a process
becomes its child once its parent has gone, and carries the worker's variables, by which it is
known. Elsewhere nothing is found, and nothing is done.
"""

import contextlib
import ctypes
import math
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
READ_BYTES = 65_536
LOOK_S = 0.1  # so old may be what is known of the living


def become_subreaper() -> None:
    """Has orphans of this process's descendants become its children."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another libc: then it is left
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_alive(group: int, since: float) -> bool:
    """Whether a process of this group, begun at `since`, runs or did so just now; no zombie does.

    `since` is a time of `time.monotonic()`.
    """
    return group in _living.groups(since)


def end_orphans(mark: bytes | None, workers: Collection[int]) -> int:
    """Kills orphans whose variables hold `mark`, or all for None; reaps the dead ones.

    `workers` are the children that are waited for elsewhere. Gives how many live ones there were.
    """
    return sum(_end(child, mark) for child in _orphans(workers))


def reap_orphans(workers: Collection[int]) -> None:
    """Reaps the dead: as PID 1, or as a subreaper, nobody else does."""
    for child in _orphans(workers):
        _reap(child)


class _Living:
    """The process groups that live. A look at all of /proc is dear, and many ask at once."""

    def __init__(self) -> None:
        self._groups: frozenset[int] = frozenset()
        self._looked_at = -math.inf

    def groups(self, since: float) -> frozenset[int]:
        if self._looked_at < since or time.monotonic() - self._looked_at > LOOK_S:
            self._groups = frozenset(_living_groups())
            self._looked_at = time.monotonic()  # counted from its end: it may take long itself
        return self._groups


_living = _Living()


def _living_groups() -> Iterator[int]:
    with contextlib.suppress(OSError):
        for process in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, ValueError):
                state, _, group = _content(f"/proc/{process}/stat").rpartition(b")")[2].split()[:3]
                if state not in {b"Z", b"X"}:
                    yield int(group)


def _orphans(workers: Collection[int]) -> Iterator[int]:
    # Workers are started by the main thread, and it is the one that inherits orphans.
    with contextlib.suppress(OSError):
        for word in _content(f"/proc/self/task/{os.getpid()}/children").split():
            # A child in our own session was started by somebody else in this process.
            if (child := int(word)) not in workers and _session(child) != os.getsid(0):
                yield child


def _end(child: int, mark: bytes | None) -> bool:
    if _reap(child):
        return False
    with contextlib.suppress(OSError):
        if mark is None or mark in _variables(child):
            os.kill(child, signal.SIGKILL)
            return True
    return False


def _reap(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:
        return True  # somebody else has


def _variables(process: int) -> list[bytes]:
    return _content(f"/proc/{process}/environ").split(b"\0")


def _content(path: str) -> bytes:
    """All of a file of /proc; asked for after each worker, so without Python's buffers."""
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
