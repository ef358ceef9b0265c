"""A `MemoryQueue` that is far away, hands messages out twice, and loses answers."""

from collections.abc import Mapping, Sequence

from tests.simulation.jumping import elapse
from tests.simulation.record.laws import Laws
from tests.simulation.record.weather import Weather
from watchbot.errors import Unreachable
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal

LONGEST_S = 8
FAILED = Refusal(code="InternalError", text="not done")
UNSAID = Refusal(code="NoAnswer", text="done or not", unanswered=True)


class Wire:
    """The queue as one recorder reaches it, until that is dead."""

    def __init__(self, memory: MemoryQueue, weather: Weather, laws: Laws, who: str) -> None:
        self._memory, self._weather, self._laws, self._who = memory, weather, laws, who
        self.cut = False  # its process is dead

    @property
    def name(self) -> str:
        return self._memory.name

    @property
    def fifo(self) -> bool:
        return False

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        await self._send()
        messages = await self._memory.receive(count, wait_s, visibility_s)
        for message in messages:
            if self._weather.happens("twice"):
                await self._memory.hide([(message, 0)])
        await self._answer()
        return messages

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        await self._send()
        refusals = [await self._delete(message) for message in messages]
        await self._answer()
        return refusals

    async def _delete(self, message: Message) -> Refusal | None:
        if self._weather.happens("partial"):
            return FAILED
        if self._weather.happens("twice"):  # it says yes, and hands it out again: SQS may
            await self._memory.hide([(message, 0)])
            return None
        self._laws.deleted(self._who, message.id)
        [refusal] = await self._memory.delete([message])
        return UNSAID if self._weather.happens("partial") else refusal

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        await self._send()
        refusals = await self._memory.hide(changes)
        await self._answer()
        return refusals

    async def facts(self) -> Mapping[str, str]:
        await self._send()
        return await self._memory.facts()

    async def _send(self) -> None:
        if self._weather.happens("slow"):
            await elapse(self._weather.chance.uniform(0, LONGEST_S))
        else:
            await elapse(0.01)
        if self._weather.happens("error"):
            raise _no_answer()
        self._reach()

    async def _answer(self) -> None:
        self._reach()
        if self._weather.happens("lost"):
            raise _no_answer()

    def _reach(self) -> None:
        if self.cut or "queue" in self._weather.away:
            raise _no_answer()


def _no_answer() -> Unreachable:
    return Unreachable(service="SQS", operation="any", code="Simulated", text="no answer")
