"""Holds messages that a walk has seen, hidden from others until it puts them back.

A lease costs a kilobyte, and 120,000 messages may be hidden at once. The shelf keeps only receipts,
in tens, the most that one call takes. Each renewal hides a ten for as long as the walk has lasted,
so that the number of calls does not grow with the square of the queue.
"""

import heapq
import itertools
from collections.abc import Sequence
from contextlib import suppress

import anyio

from watchbot.errors import AwsError
from watchbot.sqs.lease import Lease
from watchbot.sqs.leases import batched
from watchbot.sqs.message import Message
from watchbot.sqs.queue import MAX_BATCH, Queue, Refusal
from watchbot.world import World

AT_ONCE = 20  # calls
CALL_S = 5
DELETE_TRIES = 3
AGAIN_S = 1  # pause before retrying a failed renewal


class _Ten:
    """The receipts of up to ten messages, and the time until which SQS can hide them."""

    __slots__ = ("limit_at", "receipts")

    def __init__(self, leases: Sequence[Lease]) -> None:
        self.receipts = [lease.message.receipt for lease in leases]
        self.limit_at = min(lease.limit_at for lease in leases)


class Shelf:
    """Holds messages hidden, from `put` to `put_back`, while `keep` runs."""

    def __init__(self, queue: Queue, visibility_s: int, world: World) -> None:
        self._queue, self._visibility_s = queue, visibility_s
        self._now = world.now
        self._began = world.now()
        self._due: list[tuple[float, int, _Ten]] = []  # a heap; the number breaks ties
        self._numbers = itertools.count()
        self._count = 0
        self._over, self._kept = anyio.Event(), anyio.Event()

    def __len__(self) -> int:
        return self._count

    @property
    def hidden_s(self) -> int:
        """The seconds for which a message may stay hidden if not put back."""
        return max(self._visibility_s, int(self._now() - self._began))

    def put(self, leases: Sequence[Lease]) -> None:
        """Takes over leased messages."""
        ours = [lease for lease in leases if not lease.lost]
        for some in batched(ours, MAX_BATCH):
            self._count += len(some)
            self._push(_Ten(some), min(lease.renew_at for lease in some))

    async def delete(self, messages: Sequence[Message]) -> list[Message]:
        """Deletes messages that are on the shelf; returns those that could not be deleted."""
        receipts = {message.receipt for message in messages}
        for _, _, ten in self._due:
            kept = [each for each in ten.receipts if each not in receipts]
            self._count -= len(ten.receipts) - len(kept)
            ten.receipts = kept
        left: list[Message] = []

        async def delete(some: Sequence[Message]) -> None:
            for _ in range(DELETE_TRIES):
                some = await self._still_there(some)
                if not some:
                    return
            left.extend(some)

        for many in batched(list(batched(list(messages), MAX_BATCH)), AT_ONCE):
            async with anyio.create_task_group() as calls:
                for some in many:
                    calls.start_soon(delete, some)
        return left

    async def _still_there(self, messages: Sequence[Message]) -> Sequence[Message]:
        refusals: Sequence[Refusal | None] = [Refusal(code="NoAnswer", text="")] * len(messages)
        with anyio.move_on_after(CALL_S):
            with suppress(AwsError):
                refusals = await self._queue.delete(messages)
        return [each for each, why in zip(messages, refusals, strict=True) if why is not None]

    async def keep(self) -> None:
        """Renews due messages until all are put back."""
        tick_s = min(1.0, self._visibility_s / 12)
        while not self._over.is_set():
            with anyio.move_on_after(tick_s):
                await self._over.wait()
            by, due = self._now() + tick_s, list[_Ten]()
            while self._due and self._due[0][0] <= by and not self._over.is_set():
                due.append(heapq.heappop(self._due)[2])
            for some in batched(due, AT_ONCE):
                async with anyio.create_task_group() as calls:
                    for ten in some:
                        calls.start_soon(self._renew, ten)
        self._kept.set()

    async def put_back(self, within_s: float) -> int:
        """Makes all messages visible; returns how many are still hidden when time is up."""
        self._over.set()
        with anyio.move_on_after(within_s):
            await self._kept.wait()  # a later renewal would hide them again
            tens = [ten for _, _, ten in self._due]
            for some in batched(tens, AT_ONCE):
                async with anyio.create_task_group() as calls:
                    for ten in some:
                        calls.start_soon(self._show, ten)
        return self._count

    async def _renew(self, ten: _Ten) -> None:
        seconds, asked_at = min(self.hidden_s, int(ten.limit_at - self._now())), self._now()
        if seconds < 1:  # SQS makes them visible after twelve hours
            self._count -= len(ten.receipts)
        elif await self._hide(ten, seconds):
            self._push(ten, self._now() + AGAIN_S)
        elif ten.receipts:
            self._push(ten, asked_at + seconds / 2)

    async def _show(self, ten: _Ten) -> None:
        while refused := await self._hide(ten, 0):
            self._count -= len(ten.receipts) - len(refused)
            ten.receipts = refused
            await anyio.sleep(AGAIN_S)
        self._count -= len(ten.receipts)

    async def _hide(self, ten: _Ten, seconds: int) -> list[str]:
        """Hides a ten, drops lost receipts, and returns the receipts to retry."""
        refusals: Sequence[Refusal | None] = [Refusal(code="NoAnswer", text="")] * MAX_BATCH
        messages = [Message(id="", receipt=each, body="", asked_at=0) for each in ten.receipts]
        with anyio.move_on_after(CALL_S):
            with suppress(AwsError):
                refusals = await self._queue.hide([(message, seconds) for message in messages])
        results = list(zip(ten.receipts, refusals, strict=False))
        ten.receipts = [each for each, refusal in results if not (refusal and refusal.lost)]
        self._count -= len(results) - len(ten.receipts)
        return [each for each, refusal in results if refusal and not refusal.lost]

    def _push(self, ten: _Ten, renew_at: float) -> None:
        heapq.heappush(self._due, (renew_at, next(self._numbers), ten))
