"""A walk through a queue: each message once, ours until the walk is over, then put back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio

from watchbot.errors import AwsError, WatchbotError
from watchbot.lifecycle import Stop
from watchbot.sqs.lease import Lease, Leases, batched
from watchbot.sqs.message import Message
from watchbot.sqs.queue import MAX_BATCH, Queue

LANES = 4  # polls at once
PUT_BACK_AT_ONCE = 200
PUT_BACK_S = 30  # what is not put back by then comes back when its lease runs out


class Walk:
    """Hands out the messages of a queue in waves, and holds them; `delete` lets go of some.

    One that was handed out already, and comes again as SQS may have it, is not handed out again;
    if it was to be deleted, that is tried once more.
    """

    def __init__(
        self, queue: Queue, leases: Leases, stop: Stop, *, visibility_s: int, wait_s: int
    ) -> None:
        self._queue, self._leases, self._stop = queue, leases, stop
        self._visibility_s, self._wait_s = visibility_s, wait_s
        self._held: dict[str, Lease] = {}
        self._seen: set[str] = set()
        self._undeleted: set[str] = set()

    @property
    def undeleted(self) -> int:
        """How many messages were to be deleted, and were not: they stay in the queue."""
        return len(self._undeleted)

    @property
    def held(self) -> int:
        """How many messages are hidden from others now."""
        return len(self._held)

    async def waves(self) -> AsyncIterator[list[Message]]:
        """The messages, some at a time, until there are no more, or until the stop.

        Raises `AwsError`.
        """
        lanes = 1
        while not self._stop.draining.is_set():
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
        """Deletes messages that were handed out, as far as they are still ours."""
        self._undeleted.update(message.id for message in messages)
        leases = {each.id: self._held.pop(each.id) for each in messages if each.id in self._held}

        async def delete(message_id: str, lease: Lease) -> None:
            if await self._leases.delete(lease):
                self._undeleted.discard(message_id)

        async with anyio.create_task_group() as deleting:
            for message_id, lease in leases.items():
                deleting.start_soon(delete, message_id, lease)

    async def put_back(self) -> None:
        """Lets go of all that is held, unchanged, visible at once."""
        leases = list(self._held.values())
        self._held.clear()
        for some in batched(leases, PUT_BACK_AT_ONCE):
            async with anyio.create_task_group() as returning:
                for lease in some:
                    returning.start_soon(self._leases.hide, lease, 0)

    async def _receive(self, lanes: int) -> list[Message]:
        wave: list[Message] = []
        refused: list[AwsError] = []

        async def receive() -> None:
            try:
                wave.extend(await self._queue.receive(MAX_BATCH, self._wait_s, self._visibility_s))
            except AwsError as error:  # what the other polls bring is to be held all the same
                refused.append(error)

        async with anyio.create_task_group() as polls:
            for _ in range(lanes):
                polls.start_soon(receive)
        for message in wave:
            self._hold(message)
        if refused:
            raise refused[0]
        return wave

    def _hold(self, message: Message) -> None:
        slim = replace(message, body="", attributes={}, system={})  # thousands may be held
        self._held[message.id] = self._leases.take(slim)


@asynccontextmanager
async def walking(
    queue: Queue, stop: Stop, *, visibility_s: int, wait_s: int
) -> AsyncIterator[Walk]:
    """A walk through `queue`, until a poll has waited `wait_s` for nothing.

    At its end, also by an error, what it holds is put back. The stop ends it between two waves. A
    second one ends it at once, and raises `WatchbotError`: what it holds stays hidden for up to
    `visibility_s` more seconds.
    """
    async with anyio.create_task_group() as signals:
        signals.start_soon(_abandon, stop, signals.cancel_scope)
        async with Leases(queue, visibility_s) as leases:
            walk = Walk(queue, leases, stop, visibility_s=visibility_s, wait_s=wait_s)
            try:
                yield walk
            finally:
                with anyio.move_on_after(PUT_BACK_S):
                    await walk.put_back()
        signals.cancel_scope.cancel()
    if stop.forced.is_set():
        raise WatchbotError(f"ended at once: messages may stay hidden for {visibility_s} s more")


async def _abandon(stop: Stop, scope: anyio.CancelScope) -> None:
    await stop.forced.wait()
    scope.cancel()
