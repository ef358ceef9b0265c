"""Raises the limit of open descriptors (RLIMIT_NOFILE) for us, and restores it for workers.

A worker costs us three descriptors: its two pipes, and a pidfd that reports its end. One that is
handed messages costs two more. Workers get the limit that we were started with: some programs close
every descriptor up to the limit, and `select` fails above 1,024.
"""

import math
import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PER_WORKER = 3
PER_TALK = 5  # for a worker that is handed messages, and answers
STARTING = 4  # more while a worker starts: its standard input, and its ends of the pipes
OURS_AT_LEAST = 40  # our own: the loop, the log, the port, a few connections to AWS
OURS = 200  # our own, with the largest number of connections

_found = resource.getrlimit(resource.RLIMIT_NOFILE)
# Once the limit is raised: /dev/null, and four descriptors below the old limit, for a worker.
_low: list[int] = []


def needed(workers: int, each: int = PER_WORKER) -> int:
    """The least number of descriptors that `workers` at once need."""
    return each * workers + STARTING + OURS_AT_LEAST


def carried(each: int = PER_WORKER) -> int | None:
    """The number of workers at once that the hard limit allows; None: any number."""
    hard = hard_limit()
    if hard is None:
        return None
    return max(0, (hard - STARTING - OURS_AT_LEAST) // each)


def hard_limit() -> int | None:
    """The hard limit, up to which we may raise the soft limit; None without a hard limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def make_room(workers: int = 0, others: int = 0, each: int = PER_WORKER) -> None:
    """Raises the soft limit for these workers and `others` more connections.

    Stops at the hard limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed(workers, each) - OURS_AT_LEAST + OURS + others
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if workers and not _low:
        _low.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(5))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def as_found(files: Sequence[int]) -> Iterator[Sequence[int]]:
    """Restores the soft limit that we were started with, while we start a process.

    Yields copies of `files` below that limit for the process: glibc passes on no higher ones.
    """
    now, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not _low or _number(now) <= _number(_found[0]):
        yield files
        return
    null, *copies = _low[: len(files) + 1]
    for file, copy in zip(files, copies, strict=True):
        os.dup2(file, copy, inheritable=False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_found[0], hard))
    try:
        yield copies
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, hard))
        for copy in copies:
            os.dup2(null, copy, inheritable=False)


def _number(limit: int) -> float:
    return math.inf if limit == resource.RLIM_INFINITY else limit
