"""Receives from one queue of a consumer, and knows how that queue does."""

import logging
import math

import anyio

from watchbot import metrics
from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Unreachable
from watchbot.sqs.leases import Leases
from watchbot.sqs.message import Message
from watchbot.sqs.outage import Outage
from watchbot.sqs.pause import Pause
from watchbot.sqs.queue import MAX_BATCH, Queue
from watchbot.sqs.valve import Valve

HANG_S = 15  # a poll that is this late is cancelled
IDLE_S = 1  # the shortest time between two receives without a wait that find nothing
MOST_POLLS = 16  # of one queue at once

log = logging.getLogger(__name__)


class Source:
    """One queue of a consumer: its share of the slots, its leases, and its troubles.

    `weight` is its share. `leases` are opened and closed by the consumer. `fifo_batch` is the most
    messages in a receive from a FIFO queue. The intake counts `polls`, and `Turns` keeps `start`.
    """

    def __init__(
        self, queue: Queue, leases: Leases, valve: Valve, *, weight: int = 1, fifo_batch: int = 1
    ) -> None:
        self.queue, self.leases, self.weight = queue, leases, weight
        self._valve, self._world = valve, valve.world
        self.most = min(fifo_batch, MAX_BATCH) if queue.fifo else MAX_BATCH
        self.polls = 0
        self.width = 1  # polls that may run at once; it doubles while SQS returns full batches
        self.start = 0.0  # the virtual time at which its next receive may start; see `Turns`
        self.has_more = False  # the last receive brought messages
        self.asked_at = -math.inf
        self.waited_at = self._world.now()  # the last receive that waited for messages
        self.rests_until = 0.0
        self.pause: Pause | None = None
        self._trouble: str | None = "the queue has not answered yet"
        self.refusal: AwsError | None = None  # of the last receive, if no retry mends it
        self._refused_since = 0.0
        self.is_known = False  # it has answered, or is paused, and may have gone since
        self._outage = Outage(
            log,
            "receive failed, trying again",
            "receives again",
            now=self._world.now,
            queue=queue.name,
        )

    @property
    def name(self) -> str:
        """The queue's name in logs and metrics."""
        return self.queue.name

    @property
    def trouble(self) -> str | None:
        """The reason why messages cannot be received or settled now, or None. A pause is none."""
        return self.leases.denials.trouble or (None if self.pause else self._trouble)

    @property
    def remark(self) -> str | None:
        """That the queue is paused and why, or its trouble, or None."""
        return self.trouble or (f"paused: {self.pause}" if self.pause else None)

    def rest(self, seconds: float) -> None:
        """Pauses receives from this queue for at least `seconds` from now."""
        self.rests_until = max(self.rests_until, self._world.now() + seconds)

    def hold(self, pause: Pause | None) -> None:
        """Pauses receives from this queue until the next call with None."""
        self.pause = pause
        self.is_known = True
        self._valve.turned.set()

    @property
    def refused_s(self) -> float:
        """For how long AWS has refused all receives; 0 if the last one did not end so."""
        return 0.0 if self.refusal is None else self._world.now() - self._refused_since

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message] | None:
        """Receives up to `count` messages; None after a failure, which is logged.

        The queue rests after a failure; `refusal` has it if no retry mends it.
        """
        self.asked_at = self._world.now()
        self.waited_at = self.asked_at if wait_s else self.waited_at
        try:
            messages = await self._received(count, wait_s, visibility_s)
        except AwsError as error:
            self._failed(error)
            return None
        self._outage.over()
        self.is_known, self._trouble, self.refusal = True, None, None
        self.has_more = bool(messages)
        self.width = min(self.width * 2, MOST_POLLS) if len(messages) == count else 1
        if not messages and wait_s < IDLE_S:
            self.rest(IDLE_S)  # else an empty queue would get a receive after every answer
        metrics.last_receive.labels(self.name).set(self._world.wall())
        metrics.oldest_message_age.labels(self.name).set(self._oldest_age_s(messages))
        metrics.took(len(messages), self.name)
        return messages

    async def _received(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        try:
            with anyio.fail_after(wait_s + HANG_S):
                return await self.queue.receive(count, wait_s, visibility_s)
        except TimeoutError:
            raise Unreachable(
                service="SQS", operation="receive_message", code="Hung", text="no answer came"
            ) from None

    def _failed(self, error: AwsError) -> None:
        self.width, self.has_more, self._trouble = 1, False, str(error)
        if error.transient:
            self.refusal = None
        else:
            self._refused_since = self._refused_since if self.refusal else self._world.now()
            self.refusal = error
        self._outage.failed(error)
        self.rest(retry_pause(self._outage.failures, chance=self._world.chance))

    def _oldest_age_s(self, messages: list[Message]) -> float:
        sent = [message.sent_ms for message in messages if message.sent_ms is not None]
        return max(0.0, self._world.wall() - min(sent) / 1000) if sent else 0.0
