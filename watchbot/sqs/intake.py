"""Receives messages as slots come free, and never more messages than slots."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import anyio

from watchbot.sqs.message import Message
from watchbot.sqs.rate import Rate
from watchbot.sqs.source import HANG_S, Source
from watchbot.sqs.turns import Poll, Slots, Turns
from watchbot.sqs.valve import Valve
from watchbot.watchdog import Watchdog

STUCK_S = 60  # a poll that does not even end after a cancel is stuck: only a restart helps
NO_ROOM_S = 1  # until the next look, when the machine has no room for a worker
LINGER_S = 0.005  # during a backlog, slots that come free within this time share one receive


class Room(Protocol):
    """Resources of this machine that each message needs before its receive."""

    def take(self, count: int) -> int:
        """Reserves room for up to `count` messages; returns for how many there was room."""

    def give_back(self, count: int = 1) -> None:
        """Gives back room for messages that did not come."""


class Boundless:
    """Room for any number of messages."""

    def take(self, count: int) -> int:
        return count

    def give_back(self, count: int = 1) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLimits:
    """Limits of an intake.

    `slots` is the most messages in hand, of all queues together; the others go to SQS. `strict`:
    the queues come in their order, not by weight. `once`: ends after the first message. With
    `until_empty`, ends when each queue was found empty or is paused, no message is in hand, and
    `until_empty` returns True. `give_up_s`: how long AWS may refuse all receives.
    """

    slots: int
    wait_s: int
    visibility_s: int
    strict: bool = False
    once: bool = False
    until_empty: Callable[[], bool] | None = None
    give_up_s: float = 300
    rate: Rate = field(default_factory=Rate)


class Intake:
    """Polls queues while slots are free, and passes the messages of each answer to `deliver`.

    Before each receive the intake reserves a slot and room for each message. The code that settles
    a message must give back its slot (`give_back`) and its room. While SQS returns full batches,
    several polls of a queue run at once. `Turns` decides which queue is asked.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        deliver: Callable[[Source, list[Message]], None],
        limits: IntakeLimits,
        *,
        valve: Valve,
        room: Room | None = None,
    ) -> None:
        self._sources, self._deliver, self._limits = sources, deliver, limits
        self._valve, self._room, self._world = valve, room or Boundless(), valve.world
        self._rate = limits.rate
        self._turns = Turns(
            sources,
            valve.world,
            long_s=limits.wait_s,
            strict=limits.strict,
            hurried=limits.until_empty is not None,
        )
        self._free = limits.slots
        self._messages = 0  # in hand
        self._empty = set[Source]()  # found so since there was a message in hand
        self._changed = valve.turned
        self._watchdog = Watchdog()

    def overdue(self) -> str | None:
        """The reason why only a restart can help (a poll is stuck), or None."""
        return self._watchdog.overdue()

    @property
    def in_hand(self) -> int:
        """The number of unsettled messages, and of slots that polls under way reserve."""
        return self._limits.slots - self._free

    def give_back(self, slots: int = 1) -> None:
        """Frees slots whose messages are settled."""
        self._messages -= slots
        self._release(slots)

    def stop(self) -> None:
        """Begins no further poll; `run` returns when the polls under way have ended."""
        self._valve.close()

    async def run(self) -> None:
        """Receives until `stop`, or until its limits end it.

        Raises `AwsError` when AWS refuses the first receive from a queue, or refuses all receives
        from all queues for `give_up_s` seconds. As long as one queue works, a refusal by another is
        only logged. After `give_up_s` that queue counts as empty, and its error is raised at the
        end.
        """
        async with anyio.create_task_group() as polls:
            while poll := await self._next():
                count = self._room.take(poll.count)
                if not count:
                    self._valve.hold(NO_ROOM_S)
                    continue
                poll = replace(poll, count=count)
                self._free -= count
                self._turns.begin(poll)
                polls.start_soon(self._poll, poll)
        for source in self._sources if self._limits.until_empty else ():
            if source.refusal is not None and self._is_given_up(source):
                raise source.refusal

    async def _next(self) -> Poll | None:
        """Waits until a poll may begin; None when no further poll may begin."""
        lingered = False
        while not (self._valve.closed or self._is_done()):
            slots = self._slots
            if slots.free <= 0 or self._valve.full:
                await self._wait_for_a_slot()
            elif (held_s := self._valve.held_s) > 0:
                await self._change(within_s=held_s)
            elif (poll := self._turns.next(slots)) is None:
                await self._change(within_s=self._turns.due_in_s(slots))
            elif poll.source.width > 1 and not lingered and self._has_few(poll.source):
                await self._linger(poll.source)
                lingered = True
            else:
                return poll
        return None

    @property
    def _slots(self) -> Slots:
        """The slots that may be used, as breaker and rate allow."""
        polled = self._limits.slots - self._messages - self._free
        unheld = int(min(self._most - self._messages, self._rate.room))
        return Slots(most=self._most, unheld=unheld, free=unheld - polled)

    @property
    def _most(self) -> int:
        most = self._valve.most
        return self._limits.slots if most is None else min(most, self._limits.slots)

    async def _wait_for_a_slot(self) -> None:
        room, slots = self._rate.room, self._most - self._messages
        began = self._world.now()
        await self._change(within_s=self._rate.next_in_s if room < slots else None)
        if room <= 0 < slots and not self._valve.full:
            self._rate.waited(self._world.now() - began)

    def _has_few(self, source: Source) -> bool:
        """Whether fewer slots are free than are worth a call."""
        slots = self._slots
        return slots.free < min(source.most, slots.most // 2)

    async def _linger(self, source: Source) -> None:
        with anyio.move_on_after(LINGER_S):
            while not self._valve.closed and self._has_few(source):
                await self._change()

    async def _change(self, *, within_s: float | None = None) -> None:
        self._changed.clear()
        with anyio.move_on_after(within_s):
            await self._changed.wait()

    async def _poll(self, poll: Poll) -> None:
        source, wait_s = poll.source, self._cut(poll.wait_s)
        messages: list[Message] | None = None
        try:
            with self._watchdog.expecting("a poll", self._limits.wait_s + HANG_S + STUCK_S):
                messages = await source.receive(poll.count, wait_s, self._limits.visibility_s)
        finally:
            came = len(messages or ())
            self._turns.end(poll, came)
            self._messages += came
            self._room.give_back(poll.count - came)
            self._release(poll.count - came)
        if messages:
            self._empty.clear()
            self._deliver(source, messages)
            if self._limits.once:
                self.stop()
        elif messages is None:
            self._give_up(source)
        elif wait_s and not self._messages and not source.polls:
            self._empty.add(source)

    def _cut(self, wait_s: int) -> int:
        left_s = self._valve.poll_until - self._world.now()
        if left_s >= wait_s:
            return wait_s
        return min(wait_s, max(1, math.ceil(left_s)))  # a look without a wait stays one

    def _release(self, slots: int) -> None:
        self._free += slots
        self._changed.set()

    def _is_done(self) -> bool:
        until_empty = self._limits.until_empty
        if until_empty is None or self._messages or not all(map(self._is_empty, self._sources)):
            return False
        self._empty.clear()
        return until_empty()

    def _is_empty(self, source: Source) -> bool:
        return source in self._empty or source.pause is not None or self._is_given_up(source)

    def _is_given_up(self, source: Source) -> bool:
        return source.refusal is not None and source.refused_s >= self._limits.give_up_s

    def _give_up(self, source: Source) -> None:
        """Raises the refusal of the queue, if nothing else works."""
        if source.refusal is None:
            return
        if not source.is_known or all(map(self._is_given_up, self._sources)):
            raise source.refusal
