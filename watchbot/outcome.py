"""What became of a worker, and what that means for its message."""

import enum
import re
from dataclasses import dataclass, replace


class Fate(enum.Enum):
    """What happens to the message."""

    DELETE = "is deleted"
    RETURN = "goes back to the queue, and is tried again after a pause"
    RELEASE = "is visible again at once"
    LEAVE = "stays hidden until its visibility timeout is over"
    BURY = "is in the dead-letter queue"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one run: its name in logs and metrics, the message's fate, who hears of it."""

    name: str
    fate: Fate
    notify: bool

    @property
    def failed(self) -> bool:
        """Whether the run went wrong, and another may go better."""
        return self.name in ("failed", "timed_out")

    @property
    def removes(self) -> bool:
        """Whether the message leaves the queue."""
        return self.fate in (Fate.DELETE, Fate.BURY)

    @property
    def buried(self) -> "Outcome":
        """This outcome for a message that was given up: it is a dead letter."""
        return replace(self, fate=Fate.BURY)


COMPLETED = Outcome("completed", Fate.DELETE, notify=False)
REJECTED = Outcome("rejected", Fate.DELETE, notify=True)
RETURNED = Outcome("returned", Fate.RETURN, notify=False)
FAILED = Outcome("failed", Fate.RETURN, notify=True)
TIMED_OUT = Outcome("timed_out", Fate.RETURN, notify=True)
RELEASED = Outcome("released", Fate.RELEASE, notify=False)
LEFT = Outcome("released", Fate.LEAVE, notify=False)  # something of its worker still runs

LEAVING = "the watcher is leaving"
FAILURE = "failure"  # marks the line of a run that somebody is told of: `[failure]`, `worker_event`

MAX_CODE = 255  # what a process can exit with


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: how a run ends, and the outcome of its messages."""

    end: str
    outcome: Outcome


# The one table of exit codes. Help, README, docs, metrics and template are held to it by a test.
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
    """Which exit codes reject a message, and which return it; 0 always completes it."""

    rejecting: frozenset[int] = frozenset({3})
    returning: frozenset[int] = frozenset({4})

    def outcome(self, exit_code: int | None) -> Outcome:
        """The outcome of a worker that ended by itself; None stands for an end by a signal."""
        if exit_code == 0:
            return COMPLETED
        if exit_code in self.rejecting:
            return REJECTED
        return RETURNED if exit_code in self.returning else FAILED


def parse_codes(text: str) -> frozenset[int]:
    """The exit codes in a list of numbers and ranges, as `3,64-78`; none for an empty list.

    Raises `ValueError` for what is no list of exit codes from 1 to 255.
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
