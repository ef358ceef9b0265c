"""Holds messages that a walk has seen, hidden from others until it puts them back.

A lease costs a kilobyte, and 120,000 messages may be hidden at once. The shelf keeps only receipts,
in tens, the most that one call takes. Each renewal hides a ten for as long as the walk has lasted,
so that the number of calls does not grow with the square of the queue.
"""

import heapq
import itertools
import tempfile
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
SPOOL_BYTES = 2 << 20  # receipts in memory; more go to a file
CALL_S = 5
DELETE_TRIES = 3
AGAIN_S = 1  # pause before retrying a failed renewal


class _Ten:
    """The place of up to ten receipts, and the time until which SQS can hide their messages."""

    __slots__ = ("limit_at", "size", "start")

    def __init__(self, start: int, size: int, limit_at: float) -> None:
        self.start, self.size, self.limit_at = start, size, limit_at


class Shelf:
    """Holds messages hidden, from `put` to `put_back`, while `keep` runs."""

    def __init__(self, queue: Queue, visibility_s: int, world: World) -> None:
        self._queue, self._visibility_s = queue, visibility_s
        self._now = world.now
        self._began = world.now()
        self._due: list[tuple[float, int, _Ten]] = []  # a heap; the number breaks ties
        self._numbers = itertools.count()
        # On disk when they are many: 120,000 receipts take up 50 MB.
        self._receipts = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - put_back closes it
        self._size = 0
        self._gone: set[int] = set()  # hashes of receipts that are on the shelf no more
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
            written = "\n".join(lease.message.receipt for lease in some).encode()
            self._receipts.seek(self._size)
            self._receipts.write(written)
            ten = _Ten(self._size, len(written), min(lease.limit_at for lease in some))
            self._size += len(written)
            self._push(ten, min(lease.renew_at for lease in some))

    async def delete(self, messages: Sequence[Message]) -> list[Message]:
        """Deletes messages that are on the shelf; returns those that could not be deleted."""
        self._drop([message.receipt for message in messages])
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
        try:
            with anyio.move_on_after(within_s):
                await self._kept.wait()  # a later renewal would hide them again
                for some in batched([ten for _, _, ten in self._due], AT_ONCE):
                    async with anyio.create_task_group() as calls:
                        for ten in some:
                            calls.start_soon(self._show, ten)
        finally:
            self._receipts.close()
        return self._count

    async def _renew(self, ten: _Ten) -> None:
        receipts = self._held(ten)
        seconds, asked_at = min(self.hidden_s, int(ten.limit_at - self._now())), self._now()
        if seconds < 1:  # SQS makes them visible after twelve hours
            self._drop(receipts)
        elif await self._hide(receipts, seconds):
            self._push(ten, self._now() + AGAIN_S)
        elif receipts:
            self._push(ten, asked_at + seconds / 2)

    async def _show(self, ten: _Ten) -> None:
        receipts = self._held(ten)
        while refused := await self._hide(receipts, 0):
            self._drop([each for each in receipts if each not in refused])
            receipts = refused
            await anyio.sleep(AGAIN_S)
        self._drop(receipts)

    async def _hide(self, receipts: Sequence[str], seconds: int) -> list[str]:
        """Hides messages, drops lost receipts, and returns the receipts to retry."""
        if not receipts:
            return []
        refusals: Sequence[Refusal | None] = [Refusal(code="NoAnswer", text="")] * len(receipts)
        messages = [Message(id="", receipt=each, body="", asked_at=0) for each in receipts]
        with anyio.move_on_after(CALL_S):
            with suppress(AwsError):
                refusals = await self._queue.hide([(message, seconds) for message in messages])
        results = list(zip(receipts, refusals, strict=False))
        self._drop([each for each, refusal in results if refusal and refusal.lost])
        return [each for each, refusal in results if refusal and not refusal.lost]

    def _held(self, ten: _Ten) -> list[str]:
        """The receipts of a ten that are still on the shelf."""
        if self._receipts.closed:  # all have been put back, or will be visible by themselves
            return []
        self._receipts.seek(ten.start)
        written = self._receipts.read(ten.size).decode().split("\n")
        return [receipt for receipt in written if hash(receipt) not in self._gone]

    def _drop(self, receipts: Sequence[str]) -> None:
        before = len(self._gone)
        self._gone.update(map(hash, receipts))
        self._count -= len(self._gone) - before

    def _push(self, ten: _Ten, renew_at: float) -> None:
        heapq.heappush(self._due, (renew_at, next(self._numbers), ten))
