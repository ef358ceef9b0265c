"""What is known of messages, deliveries, runs and watchers while a history is played."""

import math
from dataclasses import dataclass, field

from watchbot.listen.care import Ending


@dataclass(slots=True)
class Known:
    """A message as it really is."""

    message_id: str
    name: str
    group: str
    place: int
    queue: str = ""
    sent_at: float = 0.0
    receipt: str = ""  # of the last who got it
    hidden_until: float = -math.inf
    receives: int = 0
    last_run: "Run | None" = None
    completion: "Run | None" = None  # the last run that finished it
    gone: bool = False


@dataclass(slots=True, eq=False)
class Batch:
    """What a process was handed at once."""

    process: object
    runs: list["Run"] = field(default_factory=list)


@dataclass(slots=True)
class Delivery:
    """A message in the hands of a watcher, as that may know.

    `answer` is the exit code that its process has answered, `ending` how that ended without an
    answer, and `ended_at` when. `told`: it was told to end before, or has said what is no answer.
    """

    message_id: str
    held_until: float
    came_at: float = 0.0
    batch: Batch | None = None
    answer: int | None = None
    ending: Ending | None = None
    ended_at: float = math.inf
    told: bool = False
    dead: str = ""  # why it must not be settled any more
    reports: int = 0
    removes: bool = False  # its watcher has said that it is done with it
    started: bool = False
    calls: int = 0  # about it, since one had an answer that says what became of it


@dataclass(slots=True, eq=False)
class Run:
    """A run of a message."""

    watcher: str
    message_id: str
    receipt: str
    slot: int
    batch: Batch
    began: float
    over: bool = False
    finished: bool = False
    buried: bool = False  # its message was, as it failed

    @property
    def behind_a_failure(self) -> bool:
        """Whether one before it in its batch has failed."""
        ahead = self.batch.runs[: self.batch.runs.index(self)]
        return any(each.over and not each.finished and not each.buried for each in ahead)


@dataclass(slots=True)
class Life:
    """A watcher's life, from its start to its end."""

    slots: int
    workers: int
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    open_polls: list[int] = field(default_factory=list)
    asked_at: float = math.inf
    forced_at: float = math.inf
    stood_still_s: float = 0.0
    killed: bool = False
    settled_at: float = 0.0
    worked_at: float = -math.inf  # when a run, a delivery, or a second try to settle, ended
    polls: int = 0
    breaker_opened_at: float | None = None  # None: it is closed
    protected: bool | None = None  # None: nobody asked for protection
