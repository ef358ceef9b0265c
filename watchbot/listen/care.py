"""How a process ends, and what is done about one that does not."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchbot.listen.orphans import is_immortal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process ended: by an exit code, or by a signal; neither if nobody could see it."""

    exit_code: int | None
    signal: int | None = None

    @property
    def signal_name(self) -> str | None:
        """The signal as SIGKILL or, where it has no name, as its number; None without one."""
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:  # a real-time signal
            return str(self.signal)

    def __str__(self) -> str:
        if self.signal is not None:
            return f"signal {self.signal_name}"
        return "unseen end" if self.exit_code is None else f"exit code {self.exit_code}"


class Care(Protocol):
    """Who decides how long a process gets, and hears of what does not end with it."""

    remind_s: float

    async def grace(self) -> None:
        """Returns when what was told to end has had its time."""

    async def patience(self) -> None:
        """Returns when what cannot be ended is to be left alone."""

    def still_runs(self, processes: Sequence[int], reason: str) -> None:
        """Hears what cannot be ended and why, at once and every `remind_s` seconds."""

    def killed(self, processes: Mapping[int, str]) -> None:
        """Hears numbers and names of what a process had left behind, and was killed."""


class StillRunning(Exception):
    """What cannot be ended was left alone. `ending` is how the process itself ended unasked."""

    def __init__(self, processes: Sequence[int], ending: Ending | None) -> None:
        self.ending = ending
        super().__init__(f"pid {', '.join(map(str, processes))} still runs: {why(processes)}")


def why(stuck: Sequence[int]) -> str:
    """Why these processes cannot be ended."""
    if any(map(is_immortal, stuck)):
        return "it runs as another user"
    return "it hangs in the kernel"
