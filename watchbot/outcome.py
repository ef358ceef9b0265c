"""Maps the end of a worker to an outcome, and the outcome to the fate of its message."""

import enum
import re
from dataclasses import dataclass, replace
from functools import lru_cache


class Fate(enum.Enum):
    """The fate of a message after its run."""

    DELETE = "is deleted"
    RETURN = "goes back to the queue, and is tried again after a pause"
    RELEASE = "is visible again at once"
    LEAVE = "stays hidden until its visibility timeout is over"
    BURY = "is in the dead-letter queue"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one run: its name in logs and metrics, the message's fate, a notice or not."""

    name: str
    fate: Fate
    notify: bool

    @property
    def failed(self) -> bool:
        """Whether the run failed, and a retry may succeed."""
        return self.name in ("failed", "timed_out")

    @property
    def removes(self) -> bool:
        """Whether the message leaves the queue."""
        return self.fate in (Fate.DELETE, Fate.BURY)

    @property
    def buried(self) -> "Outcome":
        """The outcome with the message in the dead-letter queue."""
        return replace(self, fate=Fate.BURY)


COMPLETED = Outcome("completed", Fate.DELETE, notify=False)
REJECTED = Outcome("rejected", Fate.DELETE, notify=True)
RETURNED = Outcome("returned", Fate.RETURN, notify=False)
FAILED = Outcome("failed", Fate.RETURN, notify=True)
TIMED_OUT = Outcome("timed_out", Fate.RETURN, notify=True)
RELEASED = Outcome("released", Fate.RELEASE, notify=False)
LEFT = Outcome("released", Fate.LEAVE, notify=False)  # a process of the worker still runs

LEAVING = "the watcher is leaving"
FAILURE = "failure"  # marks the line of a run with a notice: `[failure]`, `worker_event`

MAX_CODE = 255  # the largest exit code of a process


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the exit code table: an end of a run, and the outcome of its messages."""

    end: str
    outcome: Outcome


# The only table of exit codes. A test compares help, README, docs, metrics and template with it.
TABLE = (
    Row("0", COMPLETED),
    Row("3, or one of `--reject-codes`", REJECTED),
    Row("4, or one of `--return-codes`", RETURNED),
    Row("another exit code, or a signal", FAILED),
    Row("the worker ran too long, and was ended", TIMED_OUT),
    Row("the watcher left, and ended it", RELEASED),
)
NAMES = tuple(row.outcome.name for row in TABLE)


@dataclass(frozen=True, slots=True)
class ExitCodes:
    """Exit codes that reject a message, and those that return it; 0 always completes it."""

    rejecting: frozenset[int] = frozenset({3})
    returning: frozenset[int] = frozenset({4})

    def outcome(self, exit_code: int | None) -> Outcome:
        """The outcome of a worker that ended by itself; `exit_code` None means a signal."""
        if exit_code == 0:
            return COMPLETED
        if exit_code in self.rejecting:
            return REJECTED
        return RETURNED if exit_code in self.returning else FAILED


@lru_cache(maxsize=8)  # every run asks anew
def parse_codes(text: str) -> frozenset[int]:
    """The exit codes in a list of numbers and ranges, as `3,64-78`; empty for an empty text.

    Raises `ValueError` for a text that is not a list of exit codes from 1 to 255.
    """
    codes: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = re.fullmatch(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if found and first == 0:
            raise ValueError("cannot hold 0, which completes a message always")
        if not found or not first <= last <= MAX_CODE:
            raise ValueError(
                f"must be exit codes from 1 to {MAX_CODE} and ranges of them, such as 3,64-78;"
                f" {part!r} is none"
            )
        codes.update(range(first, last + 1))
    return frozenset(codes)
