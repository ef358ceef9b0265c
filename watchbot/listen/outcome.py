"""What became of a worker, and what that means for its message."""

import enum
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
        """The same for a message that was given up."""
        return replace(self, fate=Fate.BURY)


COMPLETED = Outcome("completed", Fate.DELETE, notify=False)
REJECTED = Outcome("rejected", Fate.DELETE, notify=True)
RETURNED = Outcome("returned", Fate.RETURN, notify=False)
FAILED = Outcome("failed", Fate.RETURN, notify=True)
TIMED_OUT = Outcome("timed_out", Fate.RETURN, notify=True)
RELEASED = Outcome("released", Fate.RELEASE, notify=False)
LEFT = Outcome("released", Fate.LEAVE, notify=False)  # something of its worker still runs

LEAVING = "the watcher is leaving"

_BY_EXIT = {0: COMPLETED, 3: REJECTED, 4: RETURNED}


def outcome_of(exit_code: int | None) -> Outcome:
    """The outcome of a worker that ended by itself; None stands for an end by a signal."""
    return FAILED if exit_code is None else _BY_EXIT.get(exit_code, FAILED)
