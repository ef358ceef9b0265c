"""How many descriptors this process may have open (RLIMIT_NOFILE): more for us than for workers.

A worker costs us three: its two pipes, and the one by which we hear of its end. What we start gets
the limit that we were started with: some programs close each descriptor that they might have, and
`select` breaks above 1,024.
"""

import math
import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PER_WORKER = 3
STARTING = 2  # more for a moment: standard input, and the worker's ends of the pipes
OURS_AT_LEAST = 40  # the loop, the log, the port, and a few connections to AWS
OURS = 200  # with as many connections as are ever opened

_found = resource.getrlimit(resource.RLIMIT_NOFILE)
_low: list[int] = []  # once the limit is raised: nothing, and places below it for a worker's three


def needed(workers: int) -> int:
    """The least that so many workers at once need."""
    return PER_WORKER * workers + STARTING + OURS_AT_LEAST


def carried() -> int | None:
    """How many workers at once the hard limit carries, at least 0; None: any number."""
    hard = hard_limit()
    if hard is None:
        return None
    return max(0, (hard - STARTING - OURS_AT_LEAST) // PER_WORKER)


def hard_limit() -> int | None:
    """The most that the limit may be raised to; None when there is no such limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def make_room(workers: int = 0, others: int = 0) -> None:
    """Raises the soft limit to what we, so many workers and so many connections more need.

    As far as the hard one allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed(workers) - OURS_AT_LEAST + OURS + others
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if workers and not _low:
        _low.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(4))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def as_found(files: Sequence[int]) -> Iterator[Sequence[int]]:
    """While open, the soft limit is what we were started with: for a process that is started.

    Gives `files`, which it gets, by numbers below that limit: glibc refuses to hand on others.
    """
    now, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not _low or _number(now) <= _number(_found[0]):
        yield files
        return
    nothing, *places = _low
    for file, place in zip(files, places, strict=True):
        os.dup2(file, place, inheritable=False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_found[0], hard))
    try:
        yield places
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, hard))
        for place in places:
            os.dup2(nothing, place, inheritable=False)


def _number(limit: int) -> float:
    return math.inf if limit == resource.RLIM_INFINITY else limit
