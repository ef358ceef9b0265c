"""A walk through a queue: each message once, ours until the walk is over, then put back."""

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

LANES = 4  # polls at once
PUT_BACK_S = 30  # and more for many; what is not put back by then comes back by itself
PUT_BACK_EACH_S = 0.002


class Walk:
    """Hands out the messages of a queue in waves, and holds them; `delete` lets go of some.

    Those of the wave that is looked at are leased, the others lie on a shelf. `full` once SQS would
    hide no more of them.
    One that was handed out already, and comes again as SQS may have it, is not handed out again;
    if it was to be deleted, that is tried once more.
    """

    def __init__(
        self, queue: Queue, leases: Leases, stop: Stop, *, visibility_s: int, wait_s: int
    ) -> None:
        self._queue, self._leases, self._stop = queue, leases, stop
        self._visibility_s, self._wait_s = visibility_s, wait_s
        self._held: dict[str, Lease] = {}  # this wave's
        self._shelf = Shelf(queue, visibility_s)
        self.full = False
        self._seen: set[str] = set()
        self._undeleted: set[str] = set()

    @property
    def undeleted(self) -> int:
        """How many messages were to be deleted, and were not: they stay in the queue."""
        return len(self._undeleted)

    @property
    def held(self) -> int:
        """How many messages are hidden from others now."""
        return len(self._held) + len(self._shelf)

    @property
    def hidden_s(self) -> int:
        """For how long messages stay hidden, at most, that are not put back."""
        return self._shelf.hidden_s

    async def keep(self) -> None:
        """Keeps what lies on the shelf hidden, until it is put back."""
        await self._shelf.keep()

    async def waves(self) -> AsyncIterator[list[Message]]:
        """The messages, some at a time, until there are no more, or until the stop.

        Raises `AwsError`.
        """
        lanes = 1
        while not (self._stop.draining.is_set() or self.full):
            self._shelve()
            wave = await self._receive(lanes)
            if not wave:
                return
            # While there is a backlog. More polls of a FIFO queue would find its groups closed.
            full = len(wave) == lanes * MAX_BATCH and not self._queue.fifo
            lanes = min(2 * lanes, LANES) if full else 1
            fresh = {each.id: each for each in wave if each.id not in self._seen}
            self._seen.update(fresh)
            await self.delete([each for each in wave if each.id in self._undeleted])
            if fresh:
                yield list(fresh.values())

    async def delete(self, messages: Sequence[Message]) -> None:
        """Deletes messages that were handed out last, as far as they are still ours."""
        self._undeleted.update(message.id for message in messages)
        leases = {each.id: self._held.pop(each.id) for each in messages if each.id in self._held}

        async def delete(message_id: str, lease: Lease) -> None:
            if await self._leases.delete(lease):
                self._undeleted.discard(message_id)

        async with anyio.create_task_group() as deleting:
            for message_id, lease in leases.items():
                deleting.start_soon(delete, message_id, lease)

    async def put_back(self) -> str | None:
        """Lets go of all that is held, unchanged, visible at once; says what was left hidden."""
        self._shelve()
        left = await self._shelf.put_back(PUT_BACK_S + PUT_BACK_EACH_S * self.held)
        return f"{left} stay hidden for {self._shelf.hidden_s} s more at most" if left else None

    def _shelve(self) -> None:
        for lease in self._held.values():
            self._leases.let_go(lease)
        self._shelf.put(list(self._held.values()))
        self._held.clear()

    async def _receive(self, lanes: int) -> list[Message]:
        wave: list[Message] = []
        refused: list[AwsError] = []

        async def receive() -> None:
            try:
                wave.extend(await self._queue.receive(MAX_BATCH, self._wait_s, self._visibility_s))
            except AwsError as error:  # what the other polls bring is to be held all the same
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
    queue: Queue, stop: Stop, *, visibility_s: int, wait_s: int
) -> AsyncIterator[Walk]:
    """A walk through `queue`, until a poll has waited `wait_s` for nothing.

    At its end, also by an error, what it holds is put back. The stop ends it between two waves. A
    second one ends it at once, and raises `WatchbotError`, as does what could not be put back: it
    stays hidden for a while, which it says.
    """
    async with anyio.create_task_group() as signals:
        signals.start_soon(_abandon, stop, signals.cancel_scope)
        async with Leases(queue, visibility_s) as leases:
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
