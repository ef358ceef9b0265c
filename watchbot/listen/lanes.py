"""Decides which messages in hand may run now, and which of them run together.

A lane holds the messages of one queue, in groups. At most one batch of a group runs at a time. On a
FIFO queue the groups are SQS's own, and their messages stay in order. On a standard queue each
message is a group of its own: a second delivery of a message that is in hand (its twin) waits until
the first has ended. Nothing here waits or calls another service.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from watchbot.sqs.lease import Lease
from watchbot.world import REAL

CLOCK_S = 0.001  # what is due within that is due: sums of clocks are rounded


class Lane:
    """Messages of one queue that wait or run, by group.

    `weight` is the queue's share of the runs, `clock` tells since when a message may run.
    """

    def __init__(
        self, name: str = "", *, fifo: bool, weight: int = 1, clock: Callable[[], float] = REAL.now
    ) -> None:
        self.name, self.weight, self._clock = name, weight, clock
        self.start = 0.0  # the virtual time at which its next batch may start; see `Lanes`
        self.fifo = fifo
        self._waiting: dict[str, deque[Lease]] = {}  # by group in hand, in order of arrival
        # Groups with a message that waits and none that runs, and since when.
        self._ready: deque[tuple[str, float]] = deque()

    @property
    def ready(self) -> int:
        """How many groups have a message that may run now."""
        return len(self._ready)

    @property
    def waited_s(self) -> float:
        """How long the first of the messages that may run now has waited for a run."""
        return self._clock() - self._ready[0][1] if self._ready else 0.0

    def add(self, lease: Lease) -> None:
        """Takes in a message that was just received."""
        key = self._key(lease)
        if key in self._waiting:
            self._waiting[key].append(lease)
        else:
            self._waiting[key] = deque([lease])
            self._ready.append((key, self._clock()))

    def take(self, size: int) -> list[Lease]:
        """The next batch: up to `size` messages of one FIFO group, or of different groups."""
        batch: list[Lease] = []
        while self._ready and len(batch) < size:
            waiting = self._waiting[self._ready.popleft()[0]]
            batch.append(waiting.popleft())
            if self.fifo:
                batch += _followers(waiting, batch[0], size - 1)
                break
        return batch

    def done(self, leases: Sequence[Lease]) -> None:
        """Notes that a batch is settled: the next messages of its groups may run."""
        for key in dict.fromkeys(map(self._key, leases)):
            if self._waiting[key]:
                self._ready.append((key, self._clock()))
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
    """Messages that run together, the lane they came from, and how long the first has waited."""

    lane: Lane
    leases: Sequence[Lease]
    waited_s: float = 0.0


class Lanes:
    """Picks the next batch among the lanes of all queues: by weight, or `strict` in their order.

    Start-time fair queueing: in virtual time, a lane's next batch starts when the share of its last
    batch is used up, and the earliest start wins. A lane that was empty starts now, and gets no
    credit for the time before. Source: Goyal, Vin and Cheng, "Start-time fair queueing", SIGCOMM
    1996.
    """

    def __init__(
        self, lanes: Sequence[Lane], *, size: int = 1, window_s: float = 0, strict: bool = False
    ) -> None:
        self._lanes, self._size, self._window_s = lanes, size, window_s
        self._strict = strict
        self._now = 0.0

    def take(self) -> Batch | None:
        """The next batch, of up to `size` messages; None where nothing may run now.

        One that is not full waits until its first message has waited for `window_s` seconds.
        """
        ready = [lane for lane in self._lanes if lane.ready and self._due_in_s(lane) <= 0]
        if not ready:
            return None
        lane = ready[0] if self._strict else min(ready, key=self._starts)
        self._now = self._starts(lane)
        waited_s = lane.waited_s
        leases = lane.take(self._size)
        lane.start = self._now + len(leases) / lane.weight
        return Batch(lane, leases, waited_s)

    @property
    def due_in_s(self) -> float | None:
        """In how many seconds a batch that waits to be full runs as it is; None without one."""
        return min((self._due_in_s(lane) for lane in self._lanes if lane.ready), default=None)

    def hurry(self) -> None:
        """Has no batch wait any more: nothing more comes."""
        self._window_s = 0

    def _due_in_s(self, lane: Lane) -> float:
        left_s = 0.0 if lane.ready >= self._size else self._window_s - lane.waited_s
        return left_s if left_s > CLOCK_S else 0.0

    def _starts(self, lane: Lane) -> float:
        return max(lane.start, self._now)
