"""Which messages in hand may run now, and which of them together. Nothing here waits or calls.

A lane holds the messages of one queue. They wait there in groups, and only one batch of a group runs
at a time. On a FIFO queue the groups are SQS's own, and their messages stay in order. On a standard
queue each message is a group of its own: a second delivery of a message that is in hand waits for
the end of the first.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol


class Waiting(Protocol):
    """A message in hand, as the lanes see it: a lease."""

    @property
    def message_id(self) -> str:
        """The id that the queue gave the message."""

    @property
    def group(self) -> str | None:
        """The message group of a FIFO queue."""


class Lane:
    """The messages of one queue that wait, by group; `weight` is the queue's share of the runs."""

    def __init__(self, *, fifo: bool, weight: int = 1) -> None:
        self.weight = weight
        self.start = 0.0  # the virtual time at which its next batch may start; see `Lanes`
        self._fifo = fifo
        self._groups: dict[str, deque[Waiting]] = {}  # those that wait or run, in order of arrival
        self._ready: deque[str] = deque()  # groups of which something waits and nothing runs
        self._running: set[str] = set()

    @property
    def ready(self) -> bool:
        """Whether a batch may run now."""
        return bool(self._ready)

    def add(self, lease: Waiting) -> None:
        """Takes in a message that was just received."""
        key = self._key(lease)
        group = self._groups.setdefault(key, deque())
        group.append(lease)
        if len(group) == 1 and key not in self._running:
            self._ready.append(key)

    def take(self, size: int) -> list[Waiting]:
        """The next batch: up to `size` messages of one FIFO group, or of different groups."""
        batch: list[Waiting] = []
        while self._ready and len(batch) < size:
            key = self._ready.popleft()
            group = self._groups[key]
            self._running.add(key)
            count = size if self._fifo else 1
            batch += [group.popleft() for _ in range(min(count, len(group)))]
            if self._fifo:
                break
        return batch

    def done(self, batch: Sequence[Waiting]) -> None:
        """Notes that a batch is settled: the next of its groups may run."""
        for key in {self._key(lease): None for lease in batch}:
            self._running.discard(key)
            if self._groups.get(key):
                self._ready.append(key)
            else:
                self._groups.pop(key, None)

    def take_rest(self, lease: Waiting) -> list[Waiting]:
        """Takes out what waits behind a message of its FIFO group; nothing on a standard queue."""
        if not self._fifo:
            return []
        group = self._groups.get(self._key(lease), deque())
        rest = list(group)
        group.clear()
        return rest

    def _key(self, lease: Waiting) -> str:
        return lease.group or "" if self._fifo else lease.message_id


class Lanes:
    """Picks the next batch among the lanes of all queues, by weight.

    Start-time fair queueing: a lane's next batch starts, in virtual time, when its last one has used
    its share up. The earliest start is picked. A lane that was empty starts now, so that it makes
    up for nothing. Source: Goyal, Vin and Cheng, "Start-time fair queueing", SIGCOMM 1996.
    """

    def __init__(self, lanes: Sequence[Lane], *, size: int = 1) -> None:
        self._lanes, self._size = lanes, size
        self._now = 0.0

    def take(self) -> tuple[Lane, list[Waiting]] | None:
        """The next batch and its lane; None where nothing may run now."""
        ready = [lane for lane in self._lanes if lane.ready]
        if not ready:
            return None
        lane = min(ready, key=lambda lane: max(lane.start, self._now))
        self._now = max(lane.start, self._now)
        batch = lane.take(self._size)
        lane.start = self._now + len(batch) / lane.weight
        return lane, batch
