"""A walk through a dead-letter queue: every message once, and all of them put back."""

import tracemalloc
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import anyio
import pytest

from tests.support.builders import a_jumping_world
from watchbot.deadletter.walk import Walk, walking
from watchbot.errors import AwsError, WatchbotError
from watchbot.lifecycle import Stop
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal

pytestmark = pytest.mark.jumping


def filled(count: int, name: str = "dead") -> MemoryQueue:
    queue = MemoryQueue(name, world=a_jumping_world())
    for number in range(count):
        queue.send(str(number), group="g" if queue.fifo else None)
    return queue


async def depth(queue: MemoryQueue) -> tuple[int, int]:
    """Messages visible, and messages hidden."""
    facts = await queue.facts()
    return (
        int(facts["ApproximateNumberOfMessages"]),
        int(facts["ApproximateNumberOfMessagesNotVisible"]),
    )


class Repeating(MemoryQueue):
    """Hands each message out twice, as SQS may, and refuses the first `refused` deletes."""

    refused = 0

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        messages = await super().receive(count // 2, wait_s, visibility_s)
        return [*messages, *messages]

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        if self.refused:
            self.refused -= 1
            return [Refusal(code="ReceiptHandleIsInvalid", text="no") for _ in messages]
        return await super().delete(messages)


def a_walk(queue: MemoryQueue, stop: Stop) -> AbstractAsyncContextManager[Walk]:
    """A walk that knows the queue to be empty when it gives nothing."""
    return walking(queue, stop, visibility_s=60, wait_s=0, world=a_jumping_world())


async def walked(queue: MemoryQueue, stop: Stop | None = None) -> list[str]:
    """The bodies, as they were handed out."""
    bodies: list[str] = []
    with anyio.fail_after(10):
        async with a_walk(queue, stop or Stop()) as walk:
            async for messages in walk.waves():
                bodies += [message.body for message in messages]
    return bodies


async def test_each_message_comes_once_and_is_put_back() -> None:
    queue = filled(95)

    bodies = await walked(queue)

    assert sorted(map(int, bodies)) == list(range(95))
    assert await depth(queue) == (95, 0)


async def test_messages_are_hidden_from_others_until_the_end() -> None:
    queue = filled(15)

    async with a_walk(queue, Stop()) as walk:
        async for _ in walk.waves():
            pass
        assert (walk.held, await depth(queue)) == (15, (0, 15))


async def test_deleted_ones_are_not_put_back() -> None:
    queue = filled(30)

    async with a_walk(queue, Stop()) as walk:
        async for messages in walk.waves():
            await walk.delete([each for each in messages if int(each.body) % 2])
        assert (walk.held, walk.undeleted) == (15, 0)

    assert await depth(queue) == (15, 0)


async def test_message_handed_out_twice_is_seen_once() -> None:
    queue = Repeating(world=a_jumping_world())
    for number in range(12):
        queue.send(str(number))

    assert sorted(map(int, await walked(queue))) == list(range(12))


async def test_message_that_comes_again_after_its_delete_failed_is_deleted() -> None:
    queue = Repeating(world=a_jumping_world())
    queue.refused = 1
    queue.send("x")

    seen = 0
    async with a_walk(queue, Stop()) as walk:
        async for messages in walk.waves():
            seen += len(messages)
            await walk.delete(messages)
            assert walk.undeleted == 1
            await queue.hide([(message, 0) for message in messages])
        assert walk.undeleted == 0

    assert (seen, await depth(queue)) == (1, (0, 0))


async def test_error_puts_back_what_was_in_hand() -> None:
    queue = filled(5)

    async def fail() -> None:
        async with a_walk(queue, Stop()) as walk:
            async for _ in walk.waves():
                raise ValueError

    with pytest.raises(ExceptionGroup):
        await fail()

    assert await depth(queue) == (5, 0)


async def test_poll_that_is_refused_loses_nothing_of_what_the_others_bring() -> None:
    class Refusing(MemoryQueue):
        """Refuses the third receive."""

        receives = 0

        async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
            self.receives += 1
            if self.receives == 3:
                raise AwsError(service="SQS", operation="receive_message", code="Odd", text="no")
            return await super().receive(count, wait_s, visibility_s)

    queue = Refusing(world=a_jumping_world())
    for number in range(30):
        queue.send(str(number))

    with pytest.raises(ExceptionGroup) as error:
        await walked(queue)

    assert error.value.subgroup(AwsError)
    assert await depth(queue) == (30, 0)


async def test_stop_ends_it_between_two_waves() -> None:
    queue, stop = filled(95), Stop()

    async with a_walk(queue, stop) as walk:
        async for messages in walk.waves():
            assert len(messages) == 10
            stop.ask()

    assert await depth(queue) == (95, 0)


async def test_second_stop_ends_it_at_once_and_says_what_stays_hidden() -> None:
    queue, stop = filled(5), Stop()

    async def stop_twice() -> None:
        async with a_walk(queue, stop) as walk:
            async for _ in walk.waves():
                stop.ask()
                stop.ask()
                await anyio.sleep_forever()

    with pytest.raises(WatchbotError, match="hidden for 60 s more"), anyio.fail_after(5):
        await stop_twice()


async def test_fifo_group_is_seen_as_far_as_sqs_shows_it() -> None:
    queue = filled(25, "dead.fifo")

    assert await walked(queue) == [str(number) for number in range(10)]
    assert await depth(queue) == (25, 0)


async def test_limit_of_hidden_messages_ends_the_walk_and_drops_nothing() -> None:
    queue = filled(95)
    queue.max_hidden = 60

    bodies: list[str] = []
    async with a_walk(queue, Stop()) as walk:
        async for messages in walk.waves():
            bodies += [message.body for message in messages]
        assert walk.full

    assert len(set(bodies)) == 60
    assert await depth(queue) == (95, 0)


async def test_message_of_a_long_walk_costs_a_fraction_of_a_kilobyte() -> None:
    count, queue = 2_000, filled(2_000)

    tracemalloc.start()
    try:
        async with a_walk(queue, Stop()) as walk:
            before, _ = tracemalloc.get_traced_memory()
            async for _ in walk.waves():
                pass
            after, _ = tracemalloc.get_traced_memory()
            assert walk.held == count
    finally:
        tracemalloc.stop()

    assert (after - before) / count < 600  # what the queue itself notes is counted, too
    assert await depth(queue) == (count, 0)


async def test_what_was_looked_at_stays_hidden_for_as_long_as_the_walk_takes() -> None:
    queue, stop = filled(15), Stop()

    async with walking(queue, stop, visibility_s=1, wait_s=0, world=a_jumping_world()) as walk:
        async for _ in walk.waves():
            pass
        others = await queue.receive(10, 3, 1)  # three times the timeout
        assert (others, walk.held) == ([], 15)

    assert await depth(queue) == (15, 0)


async def test_what_cannot_be_put_back_is_tried_again() -> None:
    class Refusing(MemoryQueue):
        """Refuses to show anything, once."""

        refused = False

        async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
            if not self.refused:
                self.refused = True
                raise AwsError(service="SQS", operation="hide", code="Odd", text="no")
            return await super().hide(changes)

    queue = Refusing(world=a_jumping_world())
    for number in range(15):
        queue.send(str(number))

    await walked(queue)

    assert await depth(queue) == (15, 0)
