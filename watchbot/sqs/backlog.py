"""The messages of one queue: which comes next, which are out, and when those come back.

Nothing here walks over all messages, however many wait. The queue in memory and the embedded AWS
stand on it.
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

SLACK = 64  # outdated notes of a return that are kept before any are thrown away


class State(enum.Enum):
    """Where a message is."""

    DELAYED = enum.auto()  # was sent, and has not been seen yet
    WAITING = enum.auto()
    OUT = enum.auto()  # handed out, and hidden until it is due
    GONE = enum.auto()


@dataclass(slots=True, eq=False, weakref_slot=True)
class Group(Generic[T]):
    """Messages that must go one after the other; closed to all but its taker while one is out."""

    waiting: list[tuple[int, "QueuedMessage[T]"]] = field(default_factory=list)
    out: int = 0

    def head(self) -> "QueuedMessage[T] | None":
        """The first that waits."""
        while self.waiting and self.waiting[0][1].state is not State.WAITING:
            heapq.heappop(self.waiting)
        return self.waiting[0][1] if self.waiting else None


@dataclass(slots=True, eq=False)
class QueuedMessage(Generic[T]):
    """One message, and what became of it so far."""

    message: T
    key: str
    lane: Group[T]
    number: int
    state: State = State.GONE
    note: int = -1  # the last one that was made of when it comes back
    taken_at: float = 0.0


class Backlog(Generic[T]):
    """The messages of a queue, by their keys and in the order in which they came.

    One that comes back takes its old place. Not safe for threads: the caller holds a lock.
    """

    def __init__(self, clock: Callable[[], float] = now) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._notes = itertools.count()
        self._counts: Counter[State] = Counter()
        self._entries: dict[str, QueuedMessage[T]] = {}
        self._groups: WeakValueDictionary[str, Group[T]] = WeakValueDictionary()
        # Both heaps may hold outdated notes. A note is checked when it comes up, never sought.
        self._open: list[tuple[int, Group[T]]] = []  # lanes by the number of their heads
        self._later: list[
            tuple[float, int, QueuedMessage[T]]
        ] = []  # hidden messages by when they are due

    def add(self, key: str, message: T, group: str | None, delay_s: float) -> int:
        """The new message's number. Those of one group go in order; None is a lane of its own."""
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
        """The message of this key, unless it is gone."""
        self.return_due()
        return self._entries.get(key)

    def return_due(self) -> None:
        """Lets hidden messages wait again whose time has come."""
        at = self._clock()
        while self._later and self._later[0][0] <= at:
            _, note, entry = heapq.heappop(self._later)
            if _holds(note, entry):
                self._queue_up(entry)

    def next(self, lane: Group[T] | None = None) -> QueuedMessage[T] | None:
        """What to hand out next: more of `lane`, if it has more, else the first of all open lanes.

        The same again until it is taken or removed.
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
        """Hands out the message that `next` gave, and hides it for so long."""
        heapq.heappop(entry.lane.waiting)
        entry.taken_at = self._clock()
        self._move(entry, State.OUT)
        self._return_in(entry, seconds)

    def hide(self, entry: QueuedMessage[T], seconds: float) -> None:
        """Hides a message that is out for so long from now; 0 is until the next look."""
        self._return_in(entry, seconds)

    def out_for(self, entry: QueuedMessage[T]) -> float:
        """The seconds since the message was handed out."""
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
        """How many messages are in this state."""
        self.return_due()
        return self._counts[state]

    def due_in(self) -> float:
        """The seconds until a hidden message may be due; infinite when none is hidden."""
        return max(0.0, self._later[0][0] - self._clock()) if self._later else math.inf

    def _queue_up(self, entry: QueuedMessage[T]) -> None:
        was_out = entry.state is State.OUT
        self._move(entry, State.WAITING)
        heapq.heappush(entry.lane.waiting, (entry.number, entry))
        if was_out or entry.lane.head() is entry:  # else the lane is known by its head already
            self._open_up(entry.lane)

    def _open_up(self, lane: Group[T]) -> None:
        if lane.out == 0 and (head := lane.head()):
            heapq.heappush(self._open, (head.number, lane))

    def _return_in(self, entry: QueuedMessage[T], seconds: float) -> None:
        entry.note = next(self._notes)
        heapq.heappush(self._later, (self._clock() + seconds, entry.note, entry))
        if len(self._later) > 2 * len(self._entries) + SLACK:
            # Heartbeats of long jobs: each leaves a note that is outdated by the one after it.
            self._later = [later for later in self._later if _holds(*later[1:])]
            heapq.heapify(self._later)

    def _move(self, entry: QueuedMessage[T], state: State) -> None:
        entry.lane.out += (state is State.OUT) - (entry.state is State.OUT)
        self._counts[entry.state] -= 1
        self._counts[state] += 1
        entry.state = state


def _holds(note: int, entry: QueuedMessage[T]) -> bool:
    """Whether what this note says of its message is still so."""
    return entry.note == note and entry.state in (State.DELAYED, State.OUT)
