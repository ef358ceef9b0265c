"""Decides which messages in hand may run now, and which of them run together.

A lane holds the messages of one queue, in groups. At most one batch of a group runs at a time. On a
FIFO queue the groups are SQS's own, and their messages stay in order. On a standard queue each
message is a group of its own: a second delivery of a message that is in hand (its twin) waits until
the first has ended. Nothing here waits or calls another service.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from watchbot.sqs.lease import Lease


class Lane:
    """Messages of one queue that wait or run, by group.

    `weight` is the queue's share of the runs.
    """

    def __init__(self, *, fifo: bool, weight: int = 1) -> None:
        self.weight = weight
        self.start = 0.0  # the virtual time at which its next batch may start; see `Lanes`
        self.fifo = fifo
        self._waiting: dict[str, deque[Lease]] = {}  # by group in hand, in order of arrival
        self._ready: deque[str] = deque()  # groups with a message that waits and none that runs

    @property
    def ready(self) -> bool:
        """Whether a batch may run now."""
        return bool(self._ready)

    def add(self, lease: Lease) -> None:
        """Takes in a message that was just received."""
        key = self._key(lease)
        if key in self._waiting:
            self._waiting[key].append(lease)
        else:
            self._waiting[key] = deque([lease])
            self._ready.append(key)

    def take(self, size: int) -> list[Lease]:
        """The next batch: up to `size` messages of one FIFO group, or of different groups."""
        batch: list[Lease] = []
        while self._ready and len(batch) < size:
            waiting = self._waiting[self._ready.popleft()]
            batch.append(waiting.popleft())
            if self.fifo:
                batch += _followers(waiting, batch[0], size - 1)
                break
        return batch

    def done(self, leases: Sequence[Lease]) -> None:
        """Notes that a batch is settled: the next messages of its groups may run."""
        for key in dict.fromkeys(map(self._key, leases)):
            if self._waiting[key]:
                self._ready.append(key)
            else:
                del self._waiting[key]

    def take_rest(self, lease: Lease) -> list[Lease]:
        """Takes out, in order, the messages that wait behind a running one: its group or its twins.

        Messages received later may run: SQS delivers no further message of a FIFO group while an
        earlier message of the group is in flight.
        """
        waiting = self._waiting[self._key(lease)]
        rest = list(waiting)
        waiting.clear()
        return rest

    def _key(self, lease: Lease) -> str:
        return lease.message.group or "" if self.fifo else lease.message.id


def _followers(waiting: deque[Lease], first: Lease, most: int) -> list[Lease]:
    """The next messages of a FIFO group, up to the second delivery of one of them."""
    ids, followers = {first.message.id}, list[Lease]()
    while waiting and len(followers) < most and waiting[0].message.id not in ids:
        ids.add(waiting[0].message.id)
        followers.append(waiting.popleft())
    return followers


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that run together, and the lane they came from."""

    lane: Lane
    leases: Sequence[Lease]


class Lanes:
    """Picks the next batch among the lanes of all queues, by weight.

    Start-time fair queueing: in virtual time, a lane's next batch starts when the share of its last
    batch is used up, and the earliest start wins. A lane that was empty starts now, and gets no
    credit for the time before. Source: Goyal, Vin and Cheng, "Start-time fair queueing", SIGCOMM
    1996.
    """

    def __init__(self, lanes: Sequence[Lane], *, size: int = 1) -> None:
        self._lanes, self._size = lanes, size
        self._now = 0.0

    def take(self) -> Batch | None:
        """The next batch, of up to `size` messages; None where nothing may run now."""
        ready = [lane for lane in self._lanes if lane.ready]
        if not ready:
            return None
        lane = min(ready, key=lambda lane: max(lane.start, self._now))
        self._now = max(lane.start, self._now)
        leases = lane.take(self._size)
        lane.start = self._now + len(leases) / lane.weight
        return Batch(lane, leases)
