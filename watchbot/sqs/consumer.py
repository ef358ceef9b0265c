"""Does what every consumer of queues does: receives, keeps leases, and drains at a stop.

`listen` and `record` are consumers. Each has its own `Work`, which handles the messages.
"""

import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.errors import AwsError
from watchbot.lifecycle import Stop
from watchbot.sqs.counts import left_in
from watchbot.sqs.intake import Intake, IntakeLimits, Room
from watchbot.sqs.lease import Lease
from watchbot.sqs.leases import Leases
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue
from watchbot.sqs.rate import Rate
from watchbot.sqs.source import Source
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

    def deliver(self, source: Source, messages: list[Message]) -> None:
        """Takes messages just received from a queue, and frees the slot of each once settled."""

    def is_done(self) -> bool:
        """Whether no message is awaited, now that all queues are empty and none is in hand."""

    def lost(self, lease: Lease) -> None:
        """Hears of a lease that ended too early."""

    def drain(self) -> None:
        """Hears that the drain begins: runs under way may end, and no new run may begin."""

    def received(self) -> None:
        """Hears that no further message comes."""

    def let_go(self) -> None:
        """Ends all runs, as the drain is over. The messages must be settled within four seconds."""


class Weighted(NamedTuple):
    """A queue and its share of the receives, while other queues have messages, too."""

    queue: Queue
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Rules for a consumer: how it receives, and when it ends.

    `slots` is the largest number of messages in hand. `fifo_batch` is that in a receive from a FIFO
    queue: the messages behind a failed one go back and lose a receive, until SQS moves them to the
    dead-letter queue without a run. `once`: ends after the first receive that brings messages.
    `strict`: the first queue that has messages is asked, whatever the weights. `rate` limits how
    often messages may run; who runs them tells it.
    """

    slots: int
    poll_wait_s: int
    visibility_s: int
    drain_s: float
    give_up_s: float
    exit_when_empty: bool
    once: bool = False
    fifo_batch: int = 1
    strict: bool = False
    rate: Rate = field(default_factory=Rate)


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


def terms(settings: ConsumerSettings, slots: int) -> Terms:
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
    )


class Consumer:
    """Receives from queues for `work`, until somebody stops it or all queues are empty."""

    def __init__(
        self,
        queues: Sequence[Weighted],
        work: Work,
        terms: Terms,
        *,
        valve: Valve | None = None,
        room: Room | None = None,
    ) -> None:
        self._work, self._terms = work, terms
        self._valve = valve or Valve()
        self._world = self._valve.world
        self.sources = [self._source(*weighted) for weighted in queues]
        limits = IntakeLimits(
            slots=terms.slots,
            wait_s=terms.poll_wait_s,
            visibility_s=terms.visibility_s,
            strict=terms.strict,
            once=terms.once,
            until_empty=work.is_done if terms.exit_when_empty else None,
            give_up_s=terms.give_up_s,
            rate=terms.rate,
        )
        self._intake = Intake(self.sources, work.deliver, limits, valve=self._valve, room=room)
        self.leaving = anyio.Event()
        self.draining = False
        self._leave_by = math.inf
        self._received = anyio.Event()  # set after the last poll
        self._fatal: ExceptionGroup[AwsError] | None = None

    def _source(self, queue: Queue, weight: int) -> Source:
        metrics.know_queue(queue.name)
        terms = self._terms
        leases = Leases(queue, terms.visibility_s, self._work.lost, self._world)
        return Source(queue, leases, self._valve, weight=weight, fifo_batch=terms.fifo_batch)

    def unhealthy(self) -> str | None:
        """The reason why only a restart can help, or None. An unreachable queue is no reason."""
        return self._intake.overdue()

    @property
    def trouble(self) -> str | None:
        """The reason why the consumer cannot receive or settle messages now, or None.

        As long as one queue works, the consumer does.
        """
        troubles = {source.name: source.trouble for source in self.sources}
        if None in troubles.values():
            return None
        if len(troubles) == 1:
            return next(iter(troubles.values()))
        return "; ".join(f"{name}: {trouble}" for name, trouble in troubles.items())

    @property
    def remark(self) -> str | None:
        """Which queues are paused, and which others have trouble; None if nothing is to be said."""
        said = {source.name: source.remark for source in self.sources if source.remark}
        if len(self.sources) == 1:
            return next(iter(said.values()), None)
        return "; ".join(f"{name} {remark}" for name, remark in said.items()) or None

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
        async with self._keeping_leases(), anyio.create_task_group() as signals:
            async with anyio.create_task_group() as workers:
                with anyio.CancelScope() as polls:
                    signals.start_soon(self._heed, stop, polls)
                    signals.start_soon(self._drain, stop, polls, workers)
                    self._work.begin(workers)
                    await self._receive(stop)
                self._received.set()
                self._work.received()
            signals.cancel_scope.cancel()
            self._hurry()  # nobody heeds a second signal from here on
        log.info("stopped", extra=await self._last_facts())
        if self._fatal is not None:
            raise self._fatal

    @asynccontextmanager
    async def _keeping_leases(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as kept:
            for source in self.sources:
                await kept.enter_async_context(source.leases)
            yield

    async def _last_facts(self) -> dict[str, object]:
        if not self._terms.exit_when_empty:
            return {}
        within_s = LAST_LOOK_S if self.draining else LAST_SETTLE_S
        paused = ",".join(source.name for source in self.sources if source.pause)
        left = await left_in([source.queue for source in self.sources], within_s)
        return {**left, "paused": paused} if paused else left

    async def _receive(self, stop: Stop) -> None:
        if stop.draining.is_set():
            return  # before the first receive
        try:
            await self._intake.run()
        except* AwsError as refused:
            # Messages in hand still get their drain.
            self._fatal = refused
            self.leaving.set()

    async def _heed(self, stop: Stop, polls: anyio.CancelScope) -> None:
        await stop.draining.wait()
        self.leaving.set()
        await stop.forced.wait()
        polls.cancel()

    def _hurry(self) -> None:
        """Has what is left to be done, if the container ends, be done in the last seconds."""
        if self.draining:
            self._leave_by = min(self._leave_by, self._world.now() + LEAVE_S)

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
        self._hurry()
        self._work.let_go()
        for source in self.sources:
            source.leases.end_by(self._world.now() + LAST_SETTLE_S)
        await anyio.sleep(LAST_SETTLE_S)
        workers.cancel_scope.cancel()  # AWS does not answer: the leases will expire
