"""What is known of messages, deliveries, runs and watchers while a history is played."""

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Known:
    """A message as it really is."""

    name: str
    group: str
    place: int
    receipt: str = ""  # of the last who got it
    hidden_until: float = -math.inf
    receives: int = 0
    gone: bool = False


@dataclass(slots=True)
class Delivery:
    """A message in the hands of a watcher, as that may know."""

    message_id: str
    held_until: float
    dead: str = ""  # why it must not be settled any more
    reports: int = 0
    started: bool = False
    calls: int = 0  # about it, since one had an answer that says what became of it


@dataclass(slots=True, eq=False)
class Run:
    """A run of a message."""

    watcher: str
    message_id: str
    receipt: str
    slot: int
    batch: object
    began: float


@dataclass(slots=True)
class Life:
    """A watcher's life, from its start to its end."""

    slots: int
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    open_polls: list[int] = field(default_factory=list)
    asked_at: float = math.inf
    forced_at: float = math.inf
    stood_still_s: float = 0.0
    killed: bool = False
    settled_at: float = 0.0
    worked_at: float = -math.inf  # when its last run, or the last of several tries to settle, ended
    polls: int = 0
    reached: bool = False  # a receive was answered
    refused_since: float | None = None
    breaker_opened_at: float | None = None  # None: it is closed
    protected: bool | None = None  # None: nobody asked for protection
