"""Counts the processes of this container that the kernel killed because memory ran out.

Cgroup v2 counts them in `memory.events`, v1 in `memory.oom_control`, both as `oom_kill N`. The
count rises before the process is killed.
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_NOWHERE = -1
_COUNT = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


class Kills:
    """The count, and what it was when last looked at: a look costs some 20 microseconds."""

    def __init__(
        self, memberships: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup"
    ) -> None:
        self._memberships, self._mount = Path(memberships), mount
        self._file: int | None = None
        self._seen: int | None = None

    @property
    def seen(self) -> int | None:
        """How many there were at the last look; None where the kernel does not tell."""
        if self._file is None:
            self._file = self._open()
            self.look()
        return self._seen

    def look(self) -> int | None:
        """Looks; returns how many there are."""
        with suppress(OSError):  # the cgroup is gone: the watcher was moved to another one
            self._seen = _read(self._file) if self._file not in (None, _NOWHERE) else None
        return self._seen

    def _open(self) -> int:
        for path in _places(self._memberships, self._mount):
            with suppress(OSError):
                file = os.open(path, os.O_RDONLY)
                if _read(file) is not None:
                    return file
                os.close(file)
        return _NOWHERE


kills = Kills()  # of the cgroup that we and our workers are in


def _read(file: int) -> int | None:
    found = _COUNT.search(os.pread(file, 4_096, 0))
    return int(found[1]) if found else None


def _places(memberships: Path, mount: str) -> Iterator[str]:
    """Where the count of our own cgroup may be, as /proc/self/cgroup names our cgroups.

    In a container its path may be the host's, and what is mounted begins at our cgroup.
    """
    with suppress(OSError):
        for line in memberships.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            here = path.rstrip("/")
            if not controllers:
                yield from (f"{mount}{own}/memory.events" for own in (here, ""))
            elif "memory" in controllers.split(","):
                yield from (f"{mount}/memory{own}/memory.oom_control" for own in (here, ""))
