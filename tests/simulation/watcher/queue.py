"""The queue of the simulation: a `MemoryQueue` that is far away, and sometimes wrong."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from tests.simulation.jumping import elapse
from tests.simulation.watcher.laws import Laws
from watchbot.errors import AwsError, Denied, NotFound, Throttled, Unreachable
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal
from watchbot.world import World

CLIENT_S = 10  # a client waits so long for an answer
LATEST_S = 8
FAILED = Refusal(code="InternalError", text="try again")
UNSAID = Refusal(code="NoAnswer", text="nothing was said of it", unanswered=True)

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Weather:
    """How SQS is just now. `faults` is how often each happens."""

    faults: dict[str, float]
    away: bool = False
    deleted: bool = False
    denied: str = ""  # an operation

    def clear_up(self) -> None:
        self.faults.clear()
        self.away, self.denied = False, ""


class DeadLetterQueue(MemoryQueue):
    """Where redrive and watchers put what was given up."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world=world)
        self.names: list[str] = []

    def _put(self, record: Any, delay_s: float = 0) -> None:
        self.names.append(record.body)
        super()._put(record, delay_s)


class SimulatedQueue:
    """One queue, which all watchers call. It tells the laws what it does."""

    def __init__(self, queue: MemoryQueue, laws: Laws, chance: Random, weather: Weather) -> None:
        self.memory, self.laws, self.weather = queue, laws, weather
        self.chance = chance
        self.under_way: dict[asyncio.Task[None], None] = {}
        self.outside: Context = copy_context()  # of no process: what is on its way arrives

    def happens(self, fault: str) -> bool:
        found = self.chance.random() < self.weather.faults.get(fault, 0)
        self.laws.injected += found
        return found

    def close(self) -> None:
        """Ends what is still under way: nobody waits for it."""
        for task in self.under_way:
            task.cancel()

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        messages = await self.memory.receive(count, wait_s, visibility_s)
        if self.weather.faults and self.happens("reordered") and not self.memory.fifo:
            self.chance.shuffle(messages)
        for message in messages:
            self.laws.handed_out(message.id, message.receipt, visibility_s)
            if self.weather.faults and self.happens("twice") and not self.memory.fifo:
                await self.memory.hide([(message, 0)])
                self.laws.reappeared(message.id)
        return messages

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        refusals: list[Refusal | None] = []
        for message in messages:
            broken = self._partial()
            if broken is FAILED:
                refusals.append(FAILED)
                continue
            [refusal] = await self._delete(message)
            if refusal is None:
                self.laws.deleted(message.id, message.receipt)
            refusals.append(refusal if refusal is not None or broken is None else UNSAID)
        return refusals

    async def _delete(self, message: Message) -> Sequence[Refusal | None]:
        if self.happens("twice") and not self.memory.fifo:
            # It says yes, and hands it out again: SQS may.
            refusals = await self.memory.hide([(message, 0)])
            if refusals == [None]:
                self.laws.undeleted(message.id, message.receipt)
                return [None]
        return await self.memory.delete([message])

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        refusals: list[Refusal | None] = []
        for message, seconds in changes:
            broken = self._partial()
            if broken is FAILED:
                refusals.append(FAILED)
                continue
            [refusal] = await self.memory.hide([(message, seconds)])
            if refusal is None:
                self.laws.hidden(message.id, message.receipt, seconds)
            refusals.append(refusal if refusal is not None or broken is None else UNSAID)
        return refusals

    def _partial(self) -> Refusal | None:
        """How one entry of a batch goes wrong; None if it does not."""
        if not self.happens("partial"):
            return None
        return self.chance.choice((FAILED, UNSAID))


class Wire:
    """The queue as one watcher reaches it. A request that was sent arrives, whoever has died."""

    def __init__(self, queue: SimulatedQueue, watcher: str) -> None:
        self._queue, self._watcher, self._laws = queue, watcher, queue.laws
        self.cut = False  # its process is dead

    @property
    def name(self) -> str:
        return self._queue.memory.name

    @property
    def fifo(self) -> bool:
        return self._queue.memory.fifo

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        asked_at = self._laws.now()
        self._laws.polls(self._watcher, self.name, count)
        self._laws.queues.failed(self._watcher, self.name)  # until there is an answer
        try:
            found = await self._carried(
                "receive_message", lambda: self._queue.receive(count, wait_s, visibility_s)
            )
        except BaseException as error:
            # A second receive, which ran beside this one, may have had messages.
            self._laws.queues.failed(self._watcher, self.name)
            if isinstance(error, Denied | NotFound):
                self._laws.queues.refused(self._watcher, self.name)
            raise
        finally:
            self._laws.polled(self._watcher, count)
        messages = [replace(message, asked_at=asked_at) for message in found]
        self._laws.received(self._watcher, self.name, messages, visibility_s)
        return messages

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        receipts = [message.receipt for message in messages]
        return await self._settled("delete", receipts, lambda: self._queue.delete(messages))

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        receipts = [message.receipt for message, _ in changes]
        asked_at = self._laws.now()
        refusals = await self._settled("hide", receipts, lambda: self._queue.hide(changes))
        for (message, seconds), refusal in zip(changes, refusals, strict=True):
            if refusal is None:
                self._laws.extended(self._watcher, message.receipt, asked_at + seconds)
        return refusals

    async def _settled(
        self,
        operation: str,
        receipts: Sequence[str],
        work: Callable[[], Coroutine[Any, Any, list[Refusal | None]]],
    ) -> list[Refusal | None]:
        self._laws.settles(self._watcher, self.name, operation, receipts)
        asked_at = self._laws.now()
        try:
            refusals = await self._carried(operation, work)
        finally:
            self._laws.waited(self._watcher, operation, asked_at)
        self._laws.answered(self._watcher, operation, receipts, refusals)
        return refusals

    async def facts(self) -> Mapping[str, str]:
        return await self._carried("facts", self._queue.memory.facts)

    async def tags(self) -> Mapping[str, str]:
        return await self._carried("tags", self._queue.memory.tags)

    async def tag(self, tags: Mapping[str, str]) -> None:
        await self._carried("tag", lambda: self._queue.memory.tag(tags))

    async def untag(self, names: Sequence[str]) -> None:
        await self._carried("untag", lambda: self._queue.memory.untag(names))

    async def _carried(
        self, operation: str, work: Callable[[], Coroutine[Any, Any, Answer]]
    ) -> Answer:
        await self._refuse(operation)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        arrival = _Arrival(self._queue, work, answer)
        loop.call_later(self._latency_s(), arrival.begin, context=self._queue.outside)
        found = await answer
        if self.cut:
            raise _no_answer(operation)
        if self._happens("lost"):
            await elapse(self._queue.chance.choice((0, CLIENT_S)))
            raise _no_answer(operation)
        if self._happens("slow"):
            await elapse(self._latency_s())
        return found

    async def _refuse(self, operation: str) -> None:
        """Raises what a client raises where the call does not arrive, or is refused whole."""
        weather, chance = self._queue.weather, self._queue.chance
        error: AwsError | None = None
        if self.cut:
            raise _no_answer(operation)
        if weather.away:
            await elapse(chance.uniform(0, CLIENT_S))
            raise _no_answer(operation)
        if weather.deleted:
            error = NotFound(**_facts(operation, "AWS.SimpleQueueService.NonExistentQueue"))
        elif weather.denied == operation:
            error = Denied(**_facts(operation, "AccessDenied"))
        elif self._happens("throttled"):
            error = Throttled(**_facts(operation, "RequestThrottled"))
        elif self._happens("error"):
            error = _no_answer(operation)
        if error:
            await elapse(self._latency_s())
            raise error

    def _happens(self, fault: str) -> bool:
        return bool(self._queue.weather.faults) and self._queue.happens(fault)

    def _latency_s(self) -> float:
        if self._happens("slow"):
            return self._queue.chance.uniform(0.05, LATEST_S)
        return self._queue.chance.choice((0.002, 0.005, 0.02))


class _Arrival:
    """A request on its way, which is carried out at the queue, and answered."""

    def __init__(
        self,
        queue: SimulatedQueue,
        work: Callable[[], Coroutine[Any, Any, Any]],
        answer: asyncio.Future[Any],
    ) -> None:
        self._queue, self._work, self._answer = queue, work, answer

    def begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._carry(), context=self._queue.outside)
        self._queue.under_way[self._task] = None
        self._answer.add_done_callback(self._hung_up, context=self._queue.outside)

    async def _carry(self) -> None:
        try:
            found = await self._work()
        except Exception as error:
            if not self._answer.done():
                self._answer.set_exception(error)
        else:
            if not self._answer.done():
                self._answer.set_result(found)
        finally:
            self._queue.under_way.pop(self._task, None)

    def _hung_up(self, answer: asyncio.Future[Any]) -> None:
        # A server may or may not notice that nobody waits for an answer any more.
        if answer.cancelled() and self._queue.chance.random() < 0.5:
            self._task.cancel()


def _no_answer(operation: str) -> Unreachable:
    return Unreachable(**_facts(operation, "Sim"))


def _facts(operation: str, code: str) -> dict[str, str]:
    return {"service": "SQS", "operation": operation, "code": code, "text": "as simulated"}
