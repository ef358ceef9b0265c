"""Renews the leases of all messages in hand in the background, and ends them when asked."""

import asyncio
import itertools
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Denied, Throttled, Unreachable
from watchbot.sqs.batching import Batcher
from watchbot.sqs.denials import TRIES, Denials, Settling
from watchbot.sqs.lease import Lease
from watchbot.sqs.message import Message, about
from watchbot.sqs.queue import MAX_BATCH, Queue, Refusal
from watchbot.world import REAL, World

CALL_S = 5  # longer than any healthy call of SQS; a lease has time for several
SETTLE_TRIES_S = 300  # how long the consumer tries to settle a message

log = logging.getLogger(__name__)
Item = TypeVar("Item")


class Leases:
    """All leases of one consumer: renews them in the background, and settles their messages.

    An async context. While it is open, it renews each lease after a third of the visibility
    timeout. Leaving it sends the settlings that still wait for a batch. Calls `on_lost` once for
    each lease that ended too early.
    """

    def __init__(
        self,
        queue: Queue,
        visibility_s: int,
        on_lost: Callable[[Lease], None] = lambda _: None,
        world: World = REAL,
    ) -> None:
        self._queue = queue
        self._visibility_s = visibility_s
        self._on_lost = on_lost
        self.world, self._now = world, world.now
        self._held: dict[Lease, None] = {}  # in order of receive
        self._numbers = itertools.count()
        self._settling = 0
        self._end_at = math.inf
        self.denials = Denials(world)
        self._taken = asyncio.Event()
        self._call_s = min(CALL_S, max(1.0, visibility_s / 6))
        self._deletes = Batcher[Message, Refusal | None](self._delete, self._more)
        self._hides = Batcher[tuple[Message, int], Refusal | None](self._hide, self._more)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Leases":
        await self._open.enter_async_context(self._deletes)
        await self._open.enter_async_context(self._hides)
        renewals = await self._open.enter_async_context(anyio.create_task_group())
        renewals.start_soon(self._renew_for_ever, renewals)
        self._open.callback(renewals.cancel_scope.cancel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._open.__aexit__(kind, error, trace)

    @property
    def in_hand(self) -> int:
        """The number of leased messages."""
        return len(self._held)

    def take(self, message: Message) -> Lease:
        """Takes a lease on a message just received, and renews it from now on."""
        lease = Lease(message, self._visibility_s, next(self._numbers), self._now)
        self._held[lease] = None
        self._taken.set()
        return lease

    def holds(self, lease: Lease) -> bool:
        """Whether the consumer holds the message, according to the clock."""
        return lease in self._held and not self._ended(lease)

    async def confirm(self, lease: Lease) -> bool:
        """Whether the consumer holds the message; asks the queue if the lease is doubtful."""
        while lease.doubtful and self.holds(lease):
            await self._renew([lease])
            if lease.doubtful and not lease.lost:
                await anyio.sleep(self._retry_pause(1, 12))
        return self.holds(lease)

    async def delete(self, lease: Lease) -> bool:
        """Deletes the message, with retries; False if the lease had ended or SQS refused."""
        return await self._end(lease, Settling.DELETE, lambda: self._deletes.submit(lease.message))

    async def delete_all(self, leases: Sequence[Lease]) -> None:
        """Deletes many messages that end together, in batches without waiting for other tasks.

        Tries those that SQS refuses again, as `delete` does, together.
        """
        async with anyio.create_task_group() as calls:
            for batch in batched(leases, MAX_BATCH):
                calls.start_soon(self._delete_batch, batch)

    async def _delete_batch(self, leases: Sequence[Lease]) -> None:
        async with _all_busy(leases):
            held = [lease for lease in leases if self.holds(lease)]
            for lease in held:
                lease.ending = Settling.DELETE
            refusals = await self._delete([lease.message for lease in held]) if held else []
        async with anyio.create_task_group() as again:
            for lease, refusal in zip(held, refusals, strict=True):
                if refusal is None:
                    self._held.pop(lease, None)
                else:
                    lease.unanswered |= refusal.unanswered
                    again.start_soon(self.delete, lease)

    async def hide(self, lease: Lease, seconds: int) -> bool:
        """Returns the message to the queue, visible in `seconds`; False if the lease had ended.

        Cuts `seconds` down to the rest of the message's twelve hours.
        """
        return await self._end(
            lease,
            Settling.HIDE,
            lambda: self._hides.submit((lease.message, min(seconds, int(lease.left_s)))),
        )

    def leave(self, lease: Lease) -> None:
        """Renews the lease no more: it ends by itself, unless other code holds the message now."""
        self._held.pop(lease, None)

    def end_by(self, moment: float) -> None:
        """Ends every call and every try by `moment`, in seconds of the world's `now()`."""
        self._end_at = moment

    def _retry_pause(self, failures: int, share: int) -> float:
        return retry_pause(failures, self._visibility_s / share, self.world.chance)

    def _more(self) -> bool:
        return len(self._held) > self._settling  # another message may be settled soon

    async def _end(
        self, lease: Lease, ending: Settling, call: Callable[[], Awaitable[Refusal | None]]
    ) -> bool:
        if not self.holds(lease):
            return False
        lease.ending = ending
        self._settling += 1
        try:
            return await self._try_to_end(lease, ending, call)
        finally:
            self._settling -= 1
            self._held.pop(lease, None)

    async def _try_to_end(
        self, lease: Lease, ending: Settling, call: Callable[[], Awaitable[Refusal | None]]
    ) -> bool:
        failures, denials, began = 0, 0, self._now()
        refusal: Refusal | None = None
        while self._now() < min(began + SETTLE_TRIES_S, self._end_at) and denials < TRIES:
            async with lease.busy:  # never during a renewal of this message
                refusal = await call()
            if refusal is None:
                self.denials.clear(ending)
                return True
            if refusal.lost:
                return self._is_gone(lease, refusal)
            if ending is Settling.HIDE and self._now() >= lease.expires_at:
                return False  # the message is visible without our call
            failures += 1
            denials += refusal.denied
            lease.unanswered |= refusal.unanswered
            self._complain(lease, ending, refusal)
            await anyio.sleep(self._retry_pause(failures, 6))
        facts = _facts(lease, refusal) if refusal else about(lease.message)
        log.error("not settled, left to its visibility timeout", extra=facts)
        return False

    def _is_gone(self, lease: Lease, refusal: Refusal) -> bool:
        """Whether our own earlier call, which got no answer, has settled the message."""
        if lease.unanswered and self._now() < lease.expires_at:
            return True
        self._lose(lease, refusal.code)
        return False

    def _complain(self, lease: Lease, ending: Settling, refusal: Refusal) -> None:
        if refusal.denied:
            self.denials.note(ending, refusal.text)
        else:
            log.warning("settling failed, trying again", extra=_facts(lease, refusal))

    async def _renew_for_ever(self, renewals: TaskGroup) -> None:
        # Short ticks by the clock, so that a lost lease shows soon after the machine slept.
        tick_s = min(1.0, self._visibility_s / 12)
        while True:
            await self._taken.wait()
            await anyio.sleep(tick_s)
            due = self._due(self._now() + tick_s)
            for batch in batched(due, MAX_BATCH):
                renewals.start_soon(self._renew, batch)
            if not self._held:
                self._taken.clear()

    def _due(self, by: float) -> list[Lease]:
        # A lease with a call under way waits for the next tick.
        return [
            lease
            for lease in list(self._held)
            if not lease.busy.locked()
            and lease.ending is not Settling.HIDE  # each try to hide also renews the lease
            and not self._ended(lease)
            and lease.renew_at <= by
            and lease.left_s >= 1
        ]

    async def _renew(self, due: Sequence[Lease]) -> None:
        async with _all_busy(due):
            # A message may have been settled during the wait for the locks.
            leases = [lease for lease in due if lease in self._held]
            seconds = [min(self._visibility_s, int(lease.left_s)) for lease in leases]
            asked_at = self._now()
            changes = [(lease.message, s) for lease, s in zip(leases, seconds, strict=True)]
            refusals = await self._hide(changes)
        for lease, refusal, granted_s in zip(leases, refusals, seconds, strict=True):
            if lease not in self._held:
                continue
            if refusal is None:
                lease.extended(asked_at, granted_s)
                self.denials.clear(Settling.HIDE)
            elif refusal.lost:
                self._lose_to(lease, refusal)
            else:
                lease.renew_at = self._now() + self._retry_pause(3, 12)
                self._complain_of_renewal(lease, refusal)

    def _lose_to(self, lease: Lease, refusal: Refusal) -> None:
        if lease.ending:
            lease.renew_at = math.inf  # the delete may have succeeded: its answer will show
        else:
            self._lose(lease, refusal.code)

    def _complain_of_renewal(self, lease: Lease, refusal: Refusal) -> None:
        if refusal.denied:
            self.denials.note(Settling.HIDE, refusal.text)
        else:
            log.warning("heartbeat failed, trying again", extra=_facts(lease, refusal))

    async def _delete(self, messages: Sequence[Message]) -> Sequence[Refusal | None]:
        return await self._answers(self._queue.delete(messages), len(messages))

    async def _hide(self, changes: Sequence[tuple[Message, int]]) -> Sequence[Refusal | None]:
        return await self._answers(self._queue.hide(changes), len(changes)) if changes else []

    async def _answers(
        self, call: Awaitable[Sequence[Refusal | None]], count: int
    ) -> Sequence[Refusal | None]:
        """The answers of SQS, or refusals after `_call_s`; never raises.

        The limit leaves time for another try within the lease.
        """
        refusal = Refusal(code="Timeout", text="no answer in time for another try", unanswered=True)
        with anyio.move_on_after(min(self._call_s, max(0.0, self._end_at - self._now()))):
            try:
                return await call
            except AwsError as error:
                refusal = Refusal(
                    code=error.code,
                    text=error.text,
                    unanswered=isinstance(error, Unreachable)
                    or (error.transient and not isinstance(error, Throttled)),
                    denied=isinstance(error, Denied),
                )
        return [refusal] * count

    def _ended(self, lease: Lease) -> bool:
        if not lease.lost and not lease.ending and self._now() >= lease.expires_at:
            self._lose(lease, "Expired")
        return lease.lost

    def _lose(self, lease: Lease, code: str) -> None:
        lease.lost = True
        self._held.pop(lease, None)
        metrics.leases_lost.labels(self._queue.name).inc()
        log.error("lease lost", extra={**about(lease.message), "code": code})
        self._on_lost(lease)


@asynccontextmanager
async def _all_busy(leases: Sequence[Lease]) -> AsyncIterator[None]:
    async with AsyncExitStack() as calls:
        # In a fixed order, so that two batches with common leases cannot deadlock.
        for lease in sorted(leases, key=lambda lease: lease.number):
            await calls.enter_async_context(lease.busy)
        yield


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cuts `items` into pieces of up to `size`, in order."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _facts(lease: Lease, refusal: Refusal) -> dict[str, object]:
    return {"code": refusal.code, "reason": refusal.text, **about(lease.message)}
