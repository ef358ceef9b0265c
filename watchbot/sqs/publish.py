"""Publishes messages in calls of ten, and retries those that failed with a passing error."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

import anyio

from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Rejected
from watchbot.sqs.destination import Destination, Result, passes
from watchbot.sqs.outgoing import Outgoing, Unsent, flaw, size_bytes
from watchbot.sqs.queue import MAX_BATCH
from watchbot.world import REAL, World

BATCH_BYTES = 262_144  # the default limit of a topic, and of queues in older regions and servers

TRIES = 6  # of one message; the pauses between them sum up to at most 12 s
LANES = 4  # concurrent batches, to a destination without order

_UNTRIED = Unsent(code="NotSent", text="sending ended before its turn", passing=True)
_HELD_BACK = Unsent(code="NotSent", text="a message before it in its group was not sent")


class Publisher:
    """Sends messages to a destination in batches.

    Sends a message up to six times if the refusal is not the message's fault. To a FIFO destination
    sends one batch at a time. If a message fails, sends no later message of its group: but within
    the failed call, the destination may have taken later messages of the group.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        pause: Callable[[float], Awaitable[None]] = anyio.sleep,
        world: World = REAL,
    ) -> None:
        self._destination, self._pause, self._world = destination, pause, world
        self._broken: set[str | None] = set()  # FIFO groups of which a message was not sent
        self._fatal: AwsError | None = None

    async def publish(self, messages: Iterable[Outgoing]) -> AsyncIterator[Result]:
        """Yields a result for each message, in order; takes messages only as it needs them.

        Raises `AwsError` when calls fail for good, after it has yielded the results so far.
        """
        waiting = batches(map(self._destination.fit, messages))
        lanes = 1 if self._destination.fifo else LANES
        while wave := list(itertools.islice(waiting, lanes)):
            for result in await self._send_wave(wave):
                yield result
            if self._fatal:
                raise self._fatal

    async def _send_wave(self, wave: Sequence[Sequence[Outgoing]]) -> list[Result]:
        results: dict[int, list[Result]] = {}

        async def lane(index: int, batch: Sequence[Outgoing]) -> None:
            results[index] = await self._send(batch)

        async with anyio.create_task_group() as lanes:
            for index, batch in enumerate(wave):
                lanes.start_soon(lane, index, batch)
        return [result for index in range(len(wave)) for result in results[index]]

    async def _send(self, batch: Sequence[Outgoing]) -> list[Result]:
        results: list[Result] = [flaw(message) or _UNTRIED for message in batch]
        for failures in range(TRIES):
            self._hold_back(batch, results)
            open_indexes = [index for index, result in enumerate(results) if _may_pass(result)]
            if self._fatal or not open_indexes:
                break
            if failures:
                await self._pause(retry_pause(failures, chance=self._world.chance))
            messages = [batch[index] for index in open_indexes]
            answers = await self._attempt(messages, last=failures == TRIES - 1)
            for index, answer in zip(open_indexes, answers, strict=True):
                results[index] = answer
        if self._destination.fifo:
            self._broken |= _groups_unsent(batch, results)
        return results

    async def _attempt(self, messages: Sequence[Outgoing], *, last: bool) -> list[Result]:
        try:
            return await self._destination.send(messages)
        except AwsError as error:
            passing = error.transient or passes(error.code)
            if isinstance(error, Rejected) and not passing:
                return await self._one_by_one(messages, error)
            if last or not passing:
                self._fatal = self._fatal or error
            return [Unsent(code=error.code, text=error.text, passing=passing)] * len(messages)

    async def _one_by_one(self, messages: Sequence[Outgoing], error: Rejected) -> list[Result]:
        """Sends each message alone, because one message may have made SQS refuse the call.

        If SQS refuses all of several messages, the messages are not to blame: stops for good.
        """
        if len(messages) == 1:
            return [Unsent(code=error.code, text=error.text)]
        results: list[Result] = []
        behind: set[str | None] = set()
        for message in messages:
            if self._destination.fifo and message.group_id in behind:
                results.append(_UNTRIED)
                continue
            [result] = await self._attempt([message], last=False)
            results.append(result)
            if isinstance(result, Unsent):
                behind.add(message.group_id)
        if all(isinstance(result, Unsent) for result in results):
            self._fatal = self._fatal or error
        return results

    def _hold_back(self, batch: Sequence[Outgoing], results: list[Result]) -> None:
        if not self._destination.fifo:
            return
        broken = set(self._broken)
        for index, message in enumerate(batch):
            result = results[index]
            if _may_pass(result) and message.group_id in broken:
                results[index] = _HELD_BACK
            elif isinstance(result, Unsent) and not result.passing:
                broken.add(message.group_id)


def batches(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Yields batches of up to ten messages and up to `BATCH_BYTES`, in order.

    A message larger than `BATCH_BYTES` is a batch of its own.
    """
    batch: list[Outgoing] = []
    batch_bytes = 0
    for message in messages:
        message_bytes = size_bytes(message)
        if batch and (len(batch) == MAX_BATCH or batch_bytes + message_bytes > BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(message)
        batch_bytes += message_bytes
    if batch:
        yield batch


def _may_pass(result: Result) -> bool:
    return isinstance(result, Unsent) and result.passing


def _groups_unsent(batch: Sequence[Outgoing], results: Sequence[Result]) -> set[str | None]:
    return {
        message.group_id
        for message, result in zip(batch, results, strict=True)
        if isinstance(result, Unsent)
    }
