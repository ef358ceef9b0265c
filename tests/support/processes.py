"""Processes that a test starts as the watcher starts its workers."""

import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio

from watchbot.listen import spawn
from watchbot.listen.output import Stream
from watchbot.listen.spawn import Start
from watchbot.listen.usage import Usage

PATH = os.environb[b"PATH"]


_numbers = itertools.count()


class Heard:
    """The output of a process. Once `full`, it stays full until `make_room`."""

    def __init__(self, *, most: float = math.inf) -> None:
        self.stdout, self.stderr = b"", b""
        self._most = most
        self._room: list[Callable[[], None]] = []

    @property
    def full(self) -> bool:
        return len(self.stdout) >= self._most

    def when_room(self, callback: Callable[[], None]) -> None:
        self._room.append(callback)

    def make_room(self) -> None:
        self._most = math.inf
        for callback in self._room:
            callback()

    def feed(self, stream: Stream, data: bytes) -> None:
        if stream == "stdout":
            self.stdout += data
        else:
            self.stderr += data


class Watched:
    """Grants a process some seconds after SIGTERM, and notes its reports."""

    remind_s = 0.05

    def __init__(self, grace_s: float = 0, patience_s: float = 30) -> None:
        self.grace_s, self.patience_s = grace_s, patience_s
        self.stuck: list[tuple[list[int], str]] = []
        self.left: dict[int, str] = {}
        self.usage = Usage()

    async def grace(self) -> None:
        await anyio.sleep(self.grace_s)  # is the grace

    async def patience(self) -> None:
        await anyio.sleep(self.patience_s)  # is the patience

    def still_runs(self, processes: Sequence[int], reason: str) -> None:
        self.stuck.append((list(processes), reason))

    def killed(self, processes: Mapping[int, str]) -> None:
        self.left.update(processes)

    def used(self, usage: Usage) -> None:
        self.usage = usage


def a_start(script: str, *, stdin: bytes = b"", **variables: bytes) -> Start:
    environment = {name.encode(): value for name, value in variables.items()}
    mark = f"MARK={next(_numbers)}".encode()
    environment[b"MARK"] = mark.removeprefix(b"MARK=")
    return Start(
        command=spawn.resolve([script], shell=True),
        environment={b"PATH": PATH, **environment},
        stdin=stdin,
        mark=mark,
    )


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> bool:
    """Whether this process ends within a second: SIGKILL is sent, but takes its time."""
    for _ in range(100):
        if not runs(pid):
            return True
        await anyio.sleep(0.01)  # the kernel announces no end to a stranger
    return False
