"""Does what every consumer of a queue does: receives, keeps leases, and drains at a stop.

`listen` and `record` are consumers. Each has its own `Work`, which handles the messages.
"""

import logging
import math
from dataclasses import dataclass
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from watchbot.errors import AwsError
from watchbot.lifecycle import Stop
from watchbot.sqs.counts import left_in
from watchbot.sqs.intake import Intake, IntakeLimits, Room
from watchbot.sqs.lease import Lease
from watchbot.sqs.leases import Leases
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue
from watchbot.sqs.valve import Valve

LAST_POLL_S = 5  # a cancelled poll may lose messages, so the last one gets this long to return
LAST_SETTLE_S = 4  # the time for settling after the drain
LEAVE_S = 5  # from the end of the drain to the end of the container
LAST_LOOK_S = 0.5  # of this time, for the counts in the last line

log = logging.getLogger(__name__)


class Work(Protocol):
    """Handles the messages of a consumer. None of these calls waits."""

    def begin(self, workers: TaskGroup) -> None:
        """Starts the tasks that always run. The consumer calls it before the first receive.

        Tasks started in `workers`, now or later, end before the consumer closes the leases.
        """

    def deliver(self, messages: list[Message]) -> None:
        """Takes messages just received, and frees the slot of each when it is settled."""

    def is_done(self) -> bool:
        """Whether no message is awaited, now that the queue is empty and none is in hand."""

    def lost(self, lease: Lease) -> None:
        """Hears of a lease that ended too early."""

    def drain(self) -> None:
        """Hears that the drain begins: runs under way may end, and no new run may begin."""

    def received(self) -> None:
        """Hears that no further message comes."""

    def let_go(self) -> None:
        """Ends all runs, as the drain is over. The messages must be settled within four seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Rules for a consumer: how it receives, and when it ends.

    `slots` is the largest number of messages in hand, `fifo_batch` that in a receive from a FIFO
    queue. `once`: ends after the first receive that brings messages.
    """

    slots: int
    poll_wait_s: int
    visibility_s: int
    drain_s: float
    give_up_s: float
    exit_when_empty: bool
    once: bool = False
    fifo_batch: int = 1


class ConsumerSettings(Protocol):
    """Options that every consumer has."""

    @property
    def poll_wait(self) -> int: ...
    @property
    def visibility_timeout(self) -> int: ...
    @property
    def drain_timeout(self) -> float: ...
    @property
    def give_up_after(self) -> float: ...
    @property
    def exit_when_empty(self) -> bool: ...


def terms(
    settings: ConsumerSettings, slots: int, *, once: bool = False, fifo_batch: int = 1
) -> Terms:
    """The terms that follow from a service's settings."""
    # A poll without a wait asks only some of SQS's servers, so its "empty" proves nothing.
    least_wait_s = 1 if settings.exit_when_empty else 0
    return Terms(
        slots=slots,
        poll_wait_s=max(settings.poll_wait, least_wait_s),
        visibility_s=settings.visibility_timeout,
        drain_s=settings.drain_timeout,
        give_up_s=settings.give_up_after,
        exit_when_empty=settings.exit_when_empty,
        once=once,
        fifo_batch=fifo_batch,
    )


class Consumer:
    """Receives from one queue for `work`, until somebody stops it or the queue is empty."""

    def __init__(
        self,
        queue: Queue,
        work: Work,
        terms: Terms,
        *,
        valve: Valve | None = None,
        room: Room | None = None,
    ) -> None:
        self._queue, self._work, self._terms = queue, work, terms
        self._valve = valve or Valve()
        self._world = self._valve.world
        limits = IntakeLimits(
            slots=terms.slots,
            fifo_batch=terms.fifo_batch,
            wait_s=terms.poll_wait_s,
            visibility_s=terms.visibility_s,
        )
        self._intake = Intake(queue, work.deliver, limits, valve=self._valve, room=room)
        self.leases = Leases(queue, terms.visibility_s, work.lost, self._world)
        self.leaving = anyio.Event()
        self.draining = False
        self._leave_by = math.inf
        self._received = anyio.Event()  # set after the last poll
        self._fatal: ExceptionGroup[AwsError] | None = None

    def unhealthy(self) -> str | None:
        """The reason why only a restart can help, or None. An unreachable queue is no reason."""
        return self._intake.overdue()

    @property
    def trouble(self) -> str | None:
        """The reason why the consumer cannot receive or settle messages now, or None."""
        return self.leases.denials.trouble or self._intake.trouble

    @property
    def left_s(self) -> float:
        """Seconds until the container ends; infinity until somebody stops the consumer."""
        return self._leave_by - self._world.now()

    def give_back(self, slots: int) -> None:
        """Frees the slots of messages that are settled."""
        self._intake.give_back(slots)

    async def run(self, stop: Stop) -> None:
        """Receives until `stop`; returns when no message is in hand any more.

        Raises `AwsError`, in an exception group, when AWS refuses receives for good.

        The nesting of the contexts is the order of the shutdown: first the receives end, then the
        workers, then the leases, which sends the last settlings.
        """
        async with self.leases, anyio.create_task_group() as signals:
            async with anyio.create_task_group() as workers:
                with anyio.CancelScope() as polls:
                    signals.start_soon(self._heed, stop, polls)
                    signals.start_soon(self._drain, stop, polls, workers)
                    self._work.begin(workers)
                    await self._receive(stop)
                self._received.set()
                self._work.received()
            signals.cancel_scope.cancel()
        log.info("stopped", extra=await self._last_facts())
        if self._fatal is not None:
            raise self._fatal

    async def _last_facts(self) -> dict[str, object]:
        if not self._terms.exit_when_empty:
            return {}
        return await left_in(self._queue, LAST_LOOK_S if self.draining else LAST_SETTLE_S)

    async def _receive(self, stop: Stop) -> None:
        if stop.draining.is_set():
            return  # before the first receive
        try:
            await self._intake.run(
                until_empty=self._work.is_done if self._terms.exit_when_empty else None,
                once=self._terms.once,
                give_up_s=self._terms.give_up_s,
            )
        except* AwsError as refused:
            # Messages in hand still get their drain.
            self._fatal = refused
            self.leaving.set()

    async def _heed(self, stop: Stop, polls: anyio.CancelScope) -> None:
        await stop.draining.wait()
        self.leaving.set()
        await stop.forced.wait()
        polls.cancel()

    async def _drain(self, stop: Stop, polls: anyio.CancelScope, workers: TaskGroup) -> None:
        await self.leaving.wait()
        self.draining = True
        self._work.drain()
        drain_s = self._terms.drain_s
        self._leave_by = self._world.now() + max(drain_s, LAST_POLL_S) + LEAVE_S
        self._valve.close()
        polls.deadline = anyio.current_time() + LAST_POLL_S
        with anyio.move_on_after(drain_s):
            await stop.forced.wait()
        # The last poll must end first: it could receive a message that is released during it.
        await self._received.wait()
        self._leave_by = min(self._leave_by, self._world.now() + LEAVE_S)
        self._work.let_go()
        self.leases.end_by(self._world.now() + LAST_SETTLE_S)
        await anyio.sleep(LAST_SETTLE_S)
        workers.cancel_scope.cancel()  # AWS does not answer: the leases will expire
