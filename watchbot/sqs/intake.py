"""Receives messages from a queue as slots come free, and never more messages than slots."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from watchbot import metrics
from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Unreachable
from watchbot.sqs.message import Message
from watchbot.sqs.outage import Outage
from watchbot.sqs.queue import MAX_BATCH, Queue
from watchbot.sqs.valve import Valve
from watchbot.watchdog import Watchdog

HANG_S = 15  # a poll that is this late is cancelled
STUCK_S = 60  # a poll that does not even end after a cancel is stuck: only a restart helps
IDLE_S = 1  # the shortest time between two receives from an empty queue
NO_ROOM_S = 1  # until the next look, when the machine has no room for a worker
LINGER_S = 0.005  # during a backlog, slots that come free within this time share one receive

log = logging.getLogger(__name__)


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
    """Limits of an intake: `slots` is the most messages in hand; the others go to SQS.

    `fifo_batch` is the most messages in a receive from a FIFO queue. The messages behind a failed
    one go back and lose a receive, until SQS moves them to the dead-letter queue without a run.
    """

    slots: int
    fifo_batch: int = 1
    wait_s: int
    visibility_s: int


class Intake:
    """Polls `queue` while slots are free, and passes the messages of each answer to `deliver`.

    Before each receive the intake reserves a slot and room for each message. The code that settles
    a message must give back its slot (`give_back`) and its room. While SQS returns full batches,
    several polls run at once.
    """

    def __init__(
        self,
        queue: Queue,
        deliver: Callable[[list[Message]], None],
        limits: IntakeLimits,
        *,
        valve: Valve | None = None,
        room: Room | None = None,
    ) -> None:
        self._queue, self._deliver = queue, deliver
        self._slots, self._wait_s = limits.slots, limits.wait_s
        self._visibility_s = limits.visibility_s
        self._valve, self._room = valve or Valve(), room or Boundless()
        self._world = self._valve.world
        self._give_up_s = math.inf
        self._batch = min(limits.fifo_batch, MAX_BATCH) if queue.fifo else MAX_BATCH
        self._free = limits.slots
        self._polls = 0
        self._width = 1  # polls that may run at once
        self._changed = self._valve.turned
        self._outage = Outage(
            log, "receive failed, trying again", "receives again", now=self._world.now
        )
        self._refused_since: float | None = None
        self._reached = False
        self._watchdog = Watchdog()
        self.trouble: str | None = "the queue has not answered yet"

    def overdue(self) -> str | None:
        """The reason why only a restart can help (a poll is stuck), or None."""
        return self._watchdog.overdue()

    @property
    def in_hand(self) -> int:
        """The number of unsettled messages, and of slots that polls under way reserve."""
        return self._slots - self._free

    def give_back(self, slots: int = 1) -> None:
        """Frees slots whose messages are settled."""
        self._free += slots
        self._changed.set()

    def stop(self) -> None:
        """Begins no further poll; `run` returns when the polls under way have ended."""
        self._valve.close()

    async def run(
        self,
        *,
        until_empty: Callable[[], bool] | None = None,
        once: bool = False,
        give_up_s: float = 300,
    ) -> None:
        """Receives until `stop`.

        With `until_empty`, ends when a poll finds no message, no message is in hand, and
        `until_empty` returns True. With `once`, ends after the first message. Raises `AwsError`
        when AWS refuses the first receive, or refuses all receives for `give_up_s` seconds.
        """
        self._give_up_s = give_up_s
        async with anyio.create_task_group() as polls:
            while await self._may_poll():
                count = self._room.take(min(self._batch, self._wanted))
                if not count:
                    self._valve.hold(NO_ROOM_S)
                    continue
                self._free -= count
                self._polls += 1
                polls.start_soon(self._poll, count, until_empty, once)

    async def _may_poll(self) -> bool:
        """Waits until a poll may begin; False when no further poll may begin."""
        lingered = False
        while not self._valve.closed:
            if self._wanted <= 0 or self._polls >= self._width or self._valve.full:
                await self._change()
            elif (held_s := self._valve.held_s) > 0:
                await self._change(within_s=held_s)
            elif self._width > 1 and self._wanted < self._worth_a_call and not lingered:
                await self._linger()
                lingered = True
            else:
                return True
        return False

    @property
    def _most(self) -> int:
        most = self._valve.most
        return self._slots if most is None else min(most, self._slots)

    @property
    def _wanted(self) -> int:
        return self._free - (self._slots - self._most)

    @property
    def _worth_a_call(self) -> int:
        return min(self._batch, self._most // 2)

    async def _linger(self) -> None:
        with anyio.move_on_after(LINGER_S):
            while not self._valve.closed and self._wanted < self._worth_a_call:
                await self._change()

    async def _change(self, *, within_s: float | None = None) -> None:
        self._changed.clear()
        with anyio.move_on_after(within_s):
            await self._changed.wait()

    async def _poll(self, count: int, until_empty: Callable[[], bool] | None, once: bool) -> None:
        messages: list[Message] | None = None
        try:
            with self._watchdog.expecting("a poll", self._wait_s + HANG_S + STUCK_S):
                messages = await self._receive(count)
        except AwsError as error:
            await self._failed(error)
        finally:
            self._polls -= 1
            self.give_back(count - len(messages or ()))
            self._room.give_back(count - len(messages or ()))
        if messages is None:
            return
        self._width = min(self._width * 2, 16) if len(messages) == count else 1
        if messages:
            metrics.took(len(messages))
            self._deliver(messages)
        elif self._wait_s < IDLE_S:
            # With short polls, an empty queue would get a receive after every answer.
            self._valve.hold(IDLE_S)
        if (once and messages) or (until_empty and self._idle(messages) and until_empty()):
            self.stop()

    def _idle(self, messages: list[Message]) -> bool:
        return not messages and self.in_hand == 0 and self._polls == 0

    async def _receive(self, count: int) -> list[Message]:
        wait_s = self._next_wait_s()
        try:
            with anyio.fail_after(wait_s + HANG_S):
                messages = await self._queue.receive(count, wait_s, self._visibility_s)
        except TimeoutError:
            raise Unreachable(
                service="SQS", operation="receive_message", code="Hung", text="no answer came"
            ) from None
        self._outage.over()
        self._refused_since = None
        self._reached, self.trouble = True, None
        metrics.last_receive.set(self._world.wall())
        metrics.oldest_message_age.set(self._oldest_age_s(messages))
        return messages

    def _next_wait_s(self) -> int:
        left_s = self._valve.poll_until - self._world.now()
        return self._wait_s if left_s >= self._wait_s else max(1, math.ceil(left_s))

    async def _failed(self, error: AwsError) -> None:
        self._width = 1
        self.trouble = str(error)
        if error.transient:
            self._refused_since = None
        else:
            self._refused_since = self._refused_since or self._world.now()
            if not self._reached or self._world.now() - self._refused_since >= self._give_up_s:
                raise error
        self._outage.failed(error)
        with anyio.move_on_after(retry_pause(self._outage.failures, chance=self._world.chance)):
            while not self._valve.closed:
                await self._change()

    def _oldest_age_s(self, messages: list[Message]) -> float:
        sent = [message.sent_ms for message in messages if message.sent_ms is not None]
        return max(0.0, self._world.wall() - min(sent) / 1000) if sent else 0.0
