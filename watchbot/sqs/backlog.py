"""Keeps the messages of one queue: which comes next, which are in flight, and until when.

The queue in memory and the embedded AWS use it. No operation walks over all messages, so that a
long backlog stays fast.
"""

import enum
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from watchbot.world import now

T = TypeVar("T")

SLACK = 64  # outdated notes that are kept before a clean-up


class State(enum.Enum):
    """The state of a message."""

    DELAYED = enum.auto()  # sent, but not visible yet
    WAITING = enum.auto()  # visible
    OUT = enum.auto()  # in flight: delivered, and hidden until it is due
    GONE = enum.auto()  # deleted


@dataclass(slots=True, eq=False, weakref_slot=True)
class Group(Generic[T]):
    """Messages to deliver in order; while one is out, only its own receive gets more of them."""

    waiting: list[tuple[int, "QueuedMessage[T]"]] = field(default_factory=list)
    out: int = 0

    def head(self) -> "QueuedMessage[T] | None":
        """The first waiting message, or None."""
        while self.waiting and self.waiting[0][1].state is not State.WAITING:
            heapq.heappop(self.waiting)
        return self.waiting[0][1] if self.waiting else None


@dataclass(slots=True, eq=False)
class QueuedMessage(Generic[T]):
    """One message, its place and its state."""

    message: T
    key: str
    lane: Group[T]
    number: int
    state: State = State.GONE
    note: int = -1  # the number of the newest note about its return
    taken_at: float = 0.0


class Backlog(Generic[T]):
    """The messages of a queue, by key and in order of arrival.

    A message that comes back takes its old place. Not thread-safe: the caller must hold a lock.
    """

    def __init__(self, clock: Callable[[], float] = now) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._notes = itertools.count()
        self._counts: Counter[State] = Counter()
        self._entries: dict[str, QueuedMessage[T]] = {}
        self._groups: WeakValueDictionary[str, Group[T]] = WeakValueDictionary()
        # Both heaps may hold outdated notes. A note is checked only when it reaches the top.
        self._open: list[tuple[int, Group[T]]] = []  # lanes by the number of their heads
        self._later: list[tuple[float, int, QueuedMessage[T]]] = []  # hidden messages by due time

    def add(self, key: str, message: T, group: str | None, delay_s: float) -> int:
        """Adds a message and returns its number.

        Messages of one group are delivered in order; with group None, a message has its own lane.
        """
        lane: Group[T] = Group() if group is None else self._groups.setdefault(group, Group())
        entry = QueuedMessage(message=message, key=key, lane=lane, number=next(self._numbers))
        self._entries[key] = entry
        if delay_s > 0:
            self._move(entry, State.DELAYED)
            self._return_in(entry, delay_s)
        else:
            self._queue_up(entry)
        return entry.number

    def find(self, key: str) -> QueuedMessage[T] | None:
        """The message of this key, or None if it is deleted or unknown."""
        self.return_due()
        return self._entries.get(key)

    def return_due(self) -> None:
        """Makes hidden messages visible whose time is over."""
        at = self._clock()
        while self._later and self._later[0][0] <= at:
            _, note, entry = heapq.heappop(self._later)
            if _holds(note, entry):
                self._queue_up(entry)

    def next(self, lane: Group[T] | None = None) -> QueuedMessage[T] | None:
        """The next message to deliver: from `lane` if it has one, else from all open lanes.

        Returns this message again until the caller takes or removes it.
        """
        if lane and (head := lane.head()):
            return head
        while self._open:
            number, lane = self._open[0]
            head = lane.head()
            if head and head.number == number and lane.out == 0:
                return head
            heapq.heappop(self._open)
        return None

    def take(self, entry: QueuedMessage[T], seconds: float) -> None:
        """Delivers the message that `next` returned, and hides it for `seconds`."""
        heapq.heappop(entry.lane.waiting)
        entry.taken_at = self._clock()
        self._move(entry, State.OUT)
        self._return_in(entry, seconds)

    def hide(self, entry: QueuedMessage[T], seconds: float) -> None:
        """Hides a message in flight for `seconds` from now; 0: until the next look."""
        self._return_in(entry, seconds)

    def out_for(self, entry: QueuedMessage[T]) -> float:
        """Seconds since the message was delivered."""
        return self._clock() - entry.taken_at

    def remove(self, entry: QueuedMessage[T]) -> None:
        """Takes the message out of the queue for good."""
        self._move(entry, State.GONE)
        del self._entries[entry.key]
        self._open_up(entry.lane)

    def clear(self) -> None:
        """Removes every message."""
        for entry in list(self._entries.values()):
            self.remove(entry)

    def count(self, state: State) -> int:
        """The number of messages in this state."""
        self.return_due()
        return self._counts[state]

    def due_in(self) -> float:
        """Seconds until a hidden message may be due; infinity if none is hidden."""
        return max(0.0, self._later[0][0] - self._clock()) if self._later else math.inf

    def _queue_up(self, entry: QueuedMessage[T]) -> None:
        was_out = entry.state is State.OUT
        self._move(entry, State.WAITING)
        heapq.heappush(entry.lane.waiting, (entry.number, entry))
        if was_out or entry.lane.head() is entry:  # else `_open` lists the lane already
            self._open_up(entry.lane)

    def _open_up(self, lane: Group[T]) -> None:
        if lane.out == 0 and (head := lane.head()):
            heapq.heappush(self._open, (head.number, lane))

    def _return_in(self, entry: QueuedMessage[T], seconds: float) -> None:
        entry.note = next(self._notes)
        heapq.heappush(self._later, (self._clock() + seconds, entry.note, entry))
        if len(self._later) > 2 * len(self._entries) + SLACK:
            # Each heartbeat of a long job adds a note, and makes the note before it outdated.
            self._later = [later for later in self._later if _holds(*later[1:])]
            heapq.heapify(self._later)

    def _move(self, entry: QueuedMessage[T], state: State) -> None:
        entry.lane.out += (state is State.OUT) - (entry.state is State.OUT)
        self._counts[entry.state] -= 1
        self._counts[state] += 1
        entry.state = state


def _holds(note: int, entry: QueuedMessage[T]) -> bool:
    """Whether this note about its message is still valid."""
    return entry.note == note and entry.state in (State.DELAYED, State.OUT)
