"""Measures what a run uses: CPU seconds, and the peak memory of all its processes.

The kernel keeps the peak of each process (`VmHWM` in proc(5)), and forgets it when the process
ends. So we look at it while the processes run. The `ru_maxrss` of a process that has ended is its
own peak only above the peak of its parent: after a vfork it starts with that of the parent.
"""

import asyncio
import math
import os
import resource
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from resource import struct_rusage as struct_rusage

from watchbot.listen.oom import kills
from watchbot.listen.orphans import orphans, with_descendants

FIRST_LOOK_S = 0.1  # after the start; no look costs a shorter run anything
LOOK_EVERY_S = 1.0
LONG_S = 0.05  # a run of a process that lives on is looked at from then on
READ_EVERY_S = 0.01  # a run of many messages is asked for what it used at each answer
MOST_S = 10.0  # between two looks at a run that takes long
_TICKS = os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2  # of the kernel: the time in nanoseconds
_KERNEL = sys.platform == "linux"  # others count ru_maxrss otherwise, and have no /proc


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU seconds and peak memory in bytes; None where they are not known.

    CPU counts the process and those of its children that it has waited for. The memory is the
    largest sum of its processes' peaks at a look.
    """

    cpu_s: float | None = None
    memory_bytes: int | None = None

    @property
    def memory_mb(self) -> float | None:
        """The memory in MB, to the kB, as it is logged."""
        return None if self.memory_bytes is None else round(self.memory_bytes / 1e6, 3)


class Looks:
    """Looks at the memory of a process and its descendants until `close`. Needs an event loop."""

    def __init__(self, process: int) -> None:
        self._process = process
        self.loop = asyncio.get_running_loop()
        self._began = self.loop.time()
        self._timer = self.loop.call_later(FIRST_LOOK_S, self._look_and_go_on)
        self.peak_bytes = 0
        self.looked = False

    def look(self) -> None:
        """Looks now."""
        self.looked = True
        kills.look()
        seen = with_descendants([self._process, *orphans.of(self._process)])
        self.peak_bytes = max(self.peak_bytes, sum(_peak_bytes(process) for process, _ in seen))

    def close(self) -> None:
        self._timer.cancel()

    def _look_and_go_on(self) -> None:
        self.look()
        # A peak is not lost while its process lives, so an old run is looked at less often.
        pause_s = min(max(LOOK_EVERY_S, (self.loop.time() - self._began) / 10), MOST_S)
        self._timer = self.loop.call_later(pause_s, self._look_and_go_on)


class Meter:
    """Measures one run of a process that lives on. Make one when the run begins.

    `before` measured the last run of the process, which has done nothing since. A run of less than
    50 ms is not looked at. In a longer one, the memory of its first 50 ms counts if it is still
    held then.
    """

    def __init__(self, process: int, before: "Meter | None" = None) -> None:
        self._process = process
        self._began_s = _own_cpu_s(process)
        self._children_s: float | None = (
            before._children_s if before is not None else _children_cpu_s(process)
        )
        self._children_before_s = self._children_s
        self._knows_peak = False
        self._looks: Looks | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(LONG_S, self._takes_long)
        self._last, self._fresh_until = Usage(), -math.inf

    def read(self) -> Usage:
        """What the run has used so far. Memory is unknown for a run of less than 0.15 s."""
        now = self._loop.time()
        if now >= self._fresh_until:
            usage = Usage(cpu_s=self._used_cpu_s(), memory_bytes=self._used_bytes())
            self._last, self._fresh_until = usage, now + READ_EVERY_S
        return self._last

    def close(self) -> None:
        self._timer.cancel()
        if self._looks is not None:
            self._looks.close()

    def _takes_long(self) -> None:
        self._knows_peak = _forget_peaks(self._process)
        self._looks = Looks(self._process)

    def _used_cpu_s(self) -> float | None:
        own_s, self._children_s = _own_cpu_s(self._process), _children_cpu_s(self._process)
        if own_s is None or self._began_s is None:
            return None
        children_s = (self._children_s or 0) - (self._children_before_s or 0)
        return own_s - self._began_s + max(0.0, children_s)

    def _used_bytes(self) -> int | None:
        if not self._knows_peak or self._looks is None or not self._looks.looked:
            return None
        self._looks.look()
        return self._looks.peak_bytes or None


def of_ended(waited: struct_rusage, looked_bytes: int) -> Usage:
    """The usage of a process that has ended, by the kernel's last word and our looks."""
    last_bytes = waited.ru_maxrss * 1024 if _KERNEL else 0
    if last_bytes <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024:
        last_bytes = 0  # this may be our own peak
    return Usage(
        cpu_s=waited.ru_utime + waited.ru_stime,
        memory_bytes=max(last_bytes, looked_bytes) or None,
    )


def _peak_bytes(process: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        _, _, rest = _content(f"/proc/{process}/status").partition(b"\nVmHWM:")
        return int(rest.split(maxsplit=1)[0]) * 1024
    return 0  # it has ended, or this system does not tell


def _own_cpu_s(process: int) -> float | None:
    """The CPU time of a process that runs, without its children; None where nobody can tell."""
    if not _KERNEL:
        return None
    with suppress(OSError):
        # Python lacks clock_getcpuclockid(3), which makes this number of that of a process.
        return time.clock_gettime((~process << 3) | _CPUCLOCK_SCHED)
    return None


def _children_cpu_s(process: int) -> float | None:
    """The CPU time of the children that a process has waited for."""
    with suppress(OSError, ValueError):
        # The name, in brackets, may hold anything; cutime and cstime are fields 16 and 17.
        fields = _content(f"/proc/{process}/stat").rpartition(b")")[2].split()
        return sum(map(int, fields[13:15])) / _TICKS
    return None


def _forget_peaks(process: int) -> bool:
    """Has the kernel begin the peaks of a process and its descendants anew; False if it refuses."""
    return _all_done(_forget_peak(each) for each, _ in with_descendants([process]))


def _all_done(done: Iterable[bool]) -> bool:
    results = list(done)
    return bool(results) and all(results)


def _forget_peak(process: int) -> bool:
    try:
        file = os.open(f"/proc/{process}/clear_refs", os.O_WRONLY)
    except FileNotFoundError:
        return True  # it has ended
    except OSError:
        return False
    try:
        os.write(file, b"5")
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def _content(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 16_384)
    finally:
        os.close(file)
