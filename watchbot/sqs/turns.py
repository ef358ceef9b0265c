"""Decides which queue of a consumer is asked next, for how many messages, and how long.

A queue that has messages gets its share of the slots. A queue that had none at its last receive is
asked in between, and must not hold a slot that another queue can use:

- With at least as many free slots as queues, each queue has a long poll open.
- With fewer, the queues get polls of one second in turn.
- While another queue has messages, an empty one is looked at without a wait. SQS asks only some of
  its servers then, so every twentieth look is a poll of one second.

Nothing here waits or calls another service.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from watchbot.sqs.source import Source
from watchbot.world import World

SHORT_S = 1  # of a poll that holds a slot which another queue may need
LOOKS = 20  # at an empty queue, of which one waits

Sources = Sequence[Source]


@dataclass(frozen=True, slots=True)
class Poll:
    """A receive: from which queue, of how many messages at most, and how long it waits."""

    source: Source
    count: int
    wait_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots now: `most` may be in use, `unheld` have no message, `free` no poll either."""

    most: int
    unheld: int
    free: int


class Turns:
    """Shares receives among queues: by weight, or with `strict` in the order of `sources`.

    By weight is start-time fair queueing, as in `watchbot.listen.lanes`: a queue's next receive
    starts, in virtual time, when the share of its last one is used up; the earliest start wins.
    `long_s` is the wait of a long poll. `hurried`: several queues get short polls alone, so that
    each is soon known to be empty.
    """

    def __init__(
        self,
        sources: Sources,
        world: World,
        *,
        long_s: int,
        strict: bool = False,
        hurried: bool = False,
    ) -> None:
        self._sources, self._world, self._strict = sources, world, strict
        self._long_s, self._hurried = long_s, hurried
        self._virtual = 0.0

    def next(self, slots: Slots) -> Poll | None:
        """The next poll that may begin now, for at least one message, or None."""
        live = self._live()
        ready = [source for source in live if self._due_at(source, live, slots) <= self._now]
        if not ready:
            return None
        source = min(ready, key=self._place)
        wait_s = self._wait_s(source, live, slots)
        return Poll(source, self._count(source, live, slots.free), wait_s)

    def begin(self, poll: Poll) -> None:
        """Notes that the poll begins."""
        source = poll.source
        source.polls += 1
        starts = max(source.start, self._virtual)
        if source.has_more:
            self._virtual = starts
        source.start = starts + poll.count / source.weight

    def end(self, poll: Poll, came: int) -> None:
        """Notes that the poll has ended and brought this number of messages."""
        poll.source.polls -= 1
        poll.source.start -= (poll.count - came) / poll.source.weight

    def due_in_s(self, slots: Slots) -> float | None:
        """Seconds until a poll may begin without any other change; None: never."""
        live = self._live()
        due_at = min((self._due_at(source, live, slots) for source in live), default=math.inf)
        return None if due_at == math.inf else max(0.0, due_at - self._now)

    @property
    def _now(self) -> float:
        return self._world.now()

    def _live(self) -> Sources:
        return [source for source in self._sources if source.pause is None]

    def _due_at(self, source: Source, live: Sources, slots: Slots) -> float:
        """When the source may be asked; infinity: only after another change."""
        if source.polls >= source.width or self._gives_way(source, live):
            return math.inf
        if source.has_more or not _others_have_more(source, live):
            return source.rests_until
        return max(source.rests_until, source.asked_at + _pace_s(live, slots))

    def _gives_way(self, source: Source, live: Sources) -> bool:
        """Whether a queue that is named earlier has messages, and the order is strict."""
        if not (self._strict and source.has_more):
            return False
        return next(each for each in live if each.has_more) is not source

    def _place(self, source: Source) -> tuple[bool, float]:
        # Looks come first: they are few, and short. Those with messages follow by their share.
        if not source.has_more:
            return False, source.asked_at
        return True, max(source.start, self._virtual)

    def _count(self, source: Source, live: Sources, free: int) -> int:
        count = min(source.most, free)
        if len(live) == 1:
            return count
        if not source.has_more:
            # What a poll asks for is held as long as the poll; the next one asks for more. On a
            # FIFO queue the rest of a group cannot be received while its first message is out.
            return max(1, min(count, free // len(live))) if source.queue.fifo else 1
        if self._strict:
            return count
        weights = sum(each.weight for each in live if each.has_more)
        return min(count, math.ceil(free * source.weight / weights))

    def _wait_s(self, source: Source, live: Sources, slots: Slots) -> int:
        short_s = min(SHORT_S, self._long_s)
        if len(live) == 1:
            return self._long_s
        if source.has_more:
            return short_s
        if _others_have_more(source, live):
            is_due = self._now - source.waited_at >= LOOKS * _pace_s(live, slots)
            return short_s if is_due else 0
        return self._long_s if slots.unheld >= len(live) and not self._hurried else short_s


def _others_have_more(source: Source, live: Sources) -> bool:
    return any(each.has_more for each in live if each is not source)


def _pace_s(live: Sources, slots: Slots) -> int:
    """Seconds between two looks at an empty queue while another has messages."""
    return math.ceil(len(live) / slots.most)
