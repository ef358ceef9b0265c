"""A cgroup with little memory, for programs that are to be killed for want of it."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
_numbers = itertools.count()


def why_none() -> str | None:
    """The reason why no cgroup can be made here, or None."""
    if os.geteuid() != 0:
        return "only root may make a cgroup"
    parent = _parent()
    if parent is None:
        return "no memory controller of cgroup v1 or v2 is mounted"
    if not os.access(parent, os.W_OK):
        return f"{parent} is mounted read-only"
    return None


@contextmanager
def little_memory(megabytes: int) -> Iterator[Path]:
    """A new cgroup with this limit; what is in it at the end must have ended."""
    parent = _parent()
    assert parent is not None
    cgroup = parent / f"watchbot-test-{os.getpid()}-{next(_numbers)}"
    cgroup.mkdir()
    try:
        names = ("memory.max", "memory.limit_in_bytes")  # of v2, of v1
        limit = next(cgroup / name for name in names if (cgroup / name).exists())
        limit.write_text(str(megabytes * 1_000_000))
        yield cgroup
    finally:
        cgroup.rmdir()


def entering(cgroup: Path, *words: str) -> list[str]:
    """The words of a command that runs `words` in the cgroup."""
    return ["sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "sh", *words]


def _parent() -> Path | None:
    if (MOUNT / "memory/memory.limit_in_bytes").exists():
        return MOUNT / "memory"
    try:
        controllers = (MOUNT / "cgroup.subtree_control").read_text().split()
    except OSError:
        return None
    return MOUNT if "memory" in controllers else None
