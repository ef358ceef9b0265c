"""A walk through a queue: sees each message once, holds it until the end, then puts it back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from watchbot.deadletter.shelf import Shelf
from watchbot.errors import AwsError, WatchbotError
from watchbot.lifecycle import Stop
from watchbot.sqs.lease import Lease
from watchbot.sqs.leases import Leases
from watchbot.sqs.message import Message
from watchbot.sqs.queue import MAX_BATCH, Queue
from watchbot.world import REAL, World

LANES = 4  # polls at once
PUT_BACK_S = 30  # limit, plus PUT_BACK_EACH_S a message; others become visible later
PUT_BACK_EACH_S = 0.002


class Walk:
    """Yields the messages of a queue in waves, and holds them until deleted or put back.

    The walk leases the current wave, and keeps earlier ones on a shelf. `full` means that SQS
    hides no more messages. The walk does not yield a message twice when SQS delivers it again; it
    retries the delete of such a message if that had failed.
    """

    def __init__(
        self, queue: Queue, leases: Leases, stop: Stop, *, visibility_s: int, wait_s: int
    ) -> None:
        self._queue, self._leases, self._stop = queue, leases, stop
        self._visibility_s, self._wait_s = visibility_s, wait_s
        self._held: dict[str, Lease] = {}  # this wave's
        self._shelf = Shelf(queue, visibility_s, leases.world)
        self.full = False
        self._seen: set[str] = set()
        self._undeleted: set[str] = set()

    @property
    def undeleted(self) -> int:
        """The number of messages that could not be deleted."""
        return len(self._undeleted)

    @property
    def held(self) -> int:
        """The number of messages that the walk hides from others now."""
        return len(self._held) + len(self._shelf)

    @property
    def hidden_s(self) -> int:
        """The seconds for which a message may stay hidden if not put back."""
        return self._shelf.hidden_s

    async def keep(self) -> None:
        """Keeps the messages on the shelf hidden until they are put back."""
        await self._shelf.keep()

    async def waves(self) -> AsyncIterator[list[Message]]:
        """Yields messages in waves until the queue has no more, or until the stop.

        Raises `AwsError`.
        """
        lanes = 1
        while not (self._stop.draining.is_set() or self.full):
            self._shelve()
            wave = await self._receive(lanes)
            if not wave:
                return
            # More polls only while there is a backlog, and not for FIFO, whose groups are locked.
            full = len(wave) == lanes * MAX_BATCH and not self._queue.fifo
            lanes = min(2 * lanes, LANES) if full else 1
            fresh = {each.id: each for each in wave if each.id not in self._seen}
            self._seen.update(fresh)
            await self.delete([each for each in wave if each.id in self._undeleted])
            if fresh:
                yield list(fresh.values())

    async def delete(self, messages: Sequence[Message]) -> None:
        """Deletes messages of the current wave whose leases we still have."""
        self._undeleted.update(message.id for message in messages)
        leases = {each.id: self._held.pop(each.id) for each in messages if each.id in self._held}

        async def delete(message_id: str, lease: Lease) -> None:
            if await self._leases.delete(lease):
                self._undeleted.discard(message_id)

        async with anyio.create_task_group() as deleting:
            for message_id, lease in leases.items():
                deleting.start_soon(delete, message_id, lease)

    async def delete_seen(self, messages: Sequence[Message]) -> int:
        """Deletes messages of any wave, once the walk has ended; returns how many are left."""
        self._shelve()
        left = await self._shelf.delete(messages)
        self._undeleted.update(message.id for message in left)
        return len(left)

    async def put_back(self) -> str | None:
        """Makes all held messages visible; returns a sentence about any that stay hidden."""
        self._shelve()
        left = await self._shelf.put_back(PUT_BACK_S + PUT_BACK_EACH_S * self.held)
        return f"{left} stay hidden for {self._shelf.hidden_s} s more at most" if left else None

    def _shelve(self) -> None:
        for lease in self._held.values():
            self._leases.leave(lease)
        self._shelf.put(list(self._held.values()))
        self._held.clear()

    async def _receive(self, lanes: int) -> list[Message]:
        wave: list[Message] = []
        refused: list[AwsError] = []

        async def receive() -> None:
            try:
                wave.extend(await self._queue.receive(MAX_BATCH, self._wait_s, self._visibility_s))
            except AwsError as error:  # the walk must still hold the messages of the other polls
                self.full = self.full or "OverLimit" in error.code
                refused.append(error)

        async with anyio.create_task_group() as polls:
            for _ in range(lanes):
                polls.start_soon(receive)
        for message in wave:
            self._held[message.id] = self._leases.take(message)
        if refused and not self.full:
            raise refused[0]
        return wave


@asynccontextmanager
async def walking(
    queue: Queue, stop: Stop, *, visibility_s: int, wait_s: int, world: World = REAL
) -> AsyncIterator[Walk]:
    """A walk through `queue` that ends when a poll of `wait_s` seconds finds nothing.

    Puts back all held messages at its end, also after an error. A stop ends the walk between two
    waves; a second stop ends it at once. Raises `WatchbotError` after a second stop, and when
    messages could not be put back, saying how long these may stay hidden.
    """
    async with anyio.create_task_group() as signals:
        signals.start_soon(_abandon, stop, signals.cancel_scope)
        async with Leases(queue, visibility_s, world=world) as leases:
            walk = Walk(queue, leases, stop, visibility_s=visibility_s, wait_s=wait_s)
            signals.start_soon(walk.keep)
            try:
                yield walk
            finally:
                left = await walk.put_back()
        signals.cancel_scope.cancel()
    if stop.forced.is_set():
        raise WatchbotError(f"ended at once: messages may stay hidden for {walk.hidden_s} s more")
    if left:
        raise WatchbotError(left)


async def _abandon(stop: Stop, scope: anyio.CancelScope) -> None:
    await stop.forced.wait()
    scope.cancel()
