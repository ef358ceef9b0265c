"""Describes how a process ended, and decides how long a process gets to end."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchbot.listen.orphans import is_immortal
from watchbot.listen.usage import Usage

OUT_OF_MEMORY = "killed: out of memory"
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # the second: a shell says so of its last child


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a process: an exit code or a signal; neither if watchbot could not see the end.

    `out_of_memory`: the kernel killed it, or its last child, because memory ran out.
    """

    exit_code: int | None
    signal: int | None = None
    out_of_memory: bool = False

    @property
    def signal_name(self) -> str | None:
        """The signal's name, as SIGKILL; its number if it has no name; None without a signal."""
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:  # a real-time signal
            return str(self.signal)

    def __str__(self) -> str:
        if self.out_of_memory:
            return OUT_OF_MEMORY
        if self.signal is not None:
            return f"signal {self.signal_name}"
        return "unseen end" if self.exit_code is None else f"exit code {self.exit_code}"


class Care(Protocol):
    """Decides how long a process gets to end, and hears of processes that do not end."""

    remind_s: float

    async def grace(self) -> None:
        """Returns when the time between SIGTERM and SIGKILL is over."""

    async def patience(self) -> None:
        """Returns when `process.run` should wait no longer for processes that it cannot end."""

    def still_runs(self, processes: Sequence[int], reason: str) -> None:
        """Hears which processes cannot be ended and why: at once, then every `remind_s` seconds."""

    def killed(self, processes: Mapping[int, str]) -> None:
        """Hears numbers and names of killed processes that the worker had left running."""

    def used(self, usage: Usage) -> None:
        """Hears what the worker has used, once it has ended."""


class StillRunning(Exception):
    """Processes that cannot be ended were left running.

    `ending` is how the worker's own process ended, if it ended before anybody told it to.
    """

    def __init__(self, processes: Sequence[int], ending: Ending | None) -> None:
        self.ending = ending
        super().__init__(f"pid {', '.join(map(str, processes))} still runs: {why(processes)}")


def why(stuck: Sequence[int]) -> str:
    """The reason why these processes cannot be ended."""
    if any(map(is_immortal, stuck)):
        return "it runs as another user"
    return "it hangs in the kernel"
