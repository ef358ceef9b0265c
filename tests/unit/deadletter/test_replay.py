"""Replay: what is sent, what is deleted, and what of a failure half-way is lost (nothing)."""

from collections.abc import Sequence

import anyio
import pytest

from tests.support.builders import a_message
from tests.support.destination import FakeDestination
from watchbot.deadletter.replay import Replay, Tally
from watchbot.deadletter.walk import walking
from watchbot.errors import Denied
from watchbot.lifecycle import Stop
from watchbot.sqs.destination import Result
from watchbot.sqs.evidence import Evidence, attested, original
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Attribute, Message
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.sqs.queue import Refusal

COLOUR = {"colour": Attribute(type="String", value="red")}
REFUSED = Unsent(code="InvalidParameterValue", text="too large")
DENIED = Denied(service="SQS", operation="send_message_batch", code="AccessDenied", text="no")


def evidence(message_id: str) -> Evidence:
    return Evidence(
        reason="exit code 1",
        fingerprint="f",
        duration_s=1,
        exit_code=1,
        message_id=message_id,
        sent_ms=1,
        receives=3,
    )


async def replayed(queue: MemoryQueue, destination: FakeDestination) -> tuple[Tally, list[str]]:
    """The results for all messages of the queue, and the output."""
    said: list[str] = []
    with anyio.fail_after(10):
        async with walking(queue, Stop(), visibility_s=60, wait_s=0) as walk:
            work = Replay(walk, destination, said.append)
            async for messages in walk.waves():
                await work.replay(messages)
    return work.tally, said


async def left(queue: MemoryQueue) -> list[str]:
    """The bodies of what is there to be received."""
    messages: list[Message] = []
    while more := await queue.receive(10, 0, 60):
        messages += more
    return [message.body for message in messages]


async def test_all_are_sent_and_then_deleted() -> None:
    queue, destination = MemoryQueue(), FakeDestination()
    for number in range(95):
        queue.send(str(number))

    tally, _ = await replayed(queue, destination)

    assert (tally.replayed, tally.doubled, tally.refused) == (95, 0, [])
    assert sorted(map(int, destination.bodies)) == list(range(95))
    assert await left(queue) == []


async def test_message_is_sent_as_it_was_before_it_died() -> None:
    queue, destination = MemoryQueue(), FakeDestination()
    queue.send(
        "body",
        attributes=attested(COLOUR, evidence("m")),
        group="tenant",
        AWSTraceHeader="Root=1-5759e988-bd862e3fe1be46a994272793",
    )

    await replayed(queue, destination)

    [sent] = destination.taken
    assert (sent.body, sent.group_id, sent.dedup_id) == ("body", "tenant", None)
    again = original(a_message("n", attributes=dict(sent.attributes)))
    assert (again.attributes, again.first_id) == (COLOUR, "m")
    assert sent.trace_header == "Root=1-5759e988-bd862e3fe1be46a994272793"


async def test_refused_message_is_named_and_kept() -> None:
    queue = MemoryQueue()
    destination = FakeDestination(refusals={"1": [REFUSED] * 10})
    ids = [queue.send(str(number)) for number in range(3)]

    tally, said = await replayed(queue, destination)

    assert (tally.replayed, tally.refused) == (2, [(ids[1], REFUSED)])
    assert said == [f"{ids[1]}: InvalidParameterValue: too large; kept"]
    assert await left(queue) == ["1"]


async def test_what_was_sent_before_an_error_is_deleted_and_the_rest_is_kept() -> None:
    queue, destination = MemoryQueue(), FakeDestination(errors=[None, DENIED])
    for number in range(40):
        queue.send(str(number))

    with pytest.raises(ExceptionGroup) as error:
        await replayed(queue, destination)

    assert error.value.subgroup(Denied)
    rest = await left(queue)
    assert len(destination.taken) >= 10
    assert sorted([*destination.bodies, *rest], key=int) == [str(number) for number in range(40)]


class Stubborn(MemoryQueue):
    """Refuses every delete."""

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        return [Refusal(code="ReceiptHandleIsInvalid", text="no") for _ in messages]


async def test_message_that_cannot_be_deleted_is_counted_as_doubled() -> None:
    queue, destination = Stubborn(), FakeDestination()
    queue.send("x")

    tally, _ = await replayed(queue, destination)

    assert (tally.replayed, tally.doubled) == (1, 1)


async def test_message_that_dies_again_meanwhile_is_kept() -> None:
    queue = MemoryQueue()

    class Deadly(FakeDestination):
        async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
            results = await super().send(messages)
            for message, sent_id in zip(messages, results, strict=True):
                queue.send(message.body, attributes=attested({}, evidence(str(sent_id))))
            return results

    destination = Deadly()
    queue.send("x")

    tally, _ = await replayed(queue, destination)

    assert (tally.replayed, destination.bodies) == (1, ["x"])
    assert await left(queue) == ["x"]


def fifo_filled(count: int, groups: int) -> MemoryQueue:
    queue = MemoryQueue("dead.fifo")
    for number in range(count):
        queue.send(str(number), group=f"g{number % groups}")
    return queue


async def test_fifo_groups_keep_their_order() -> None:
    queue, destination = fifo_filled(60, 3), FakeDestination(fifo=True)

    tally, _ = await replayed(queue, destination)

    assert tally.replayed == 60
    for group in range(3):
        bodies = [int(each.body) for each in destination.taken if each.group_id == f"g{group}"]
        assert bodies == list(range(group, 60, 3))


async def test_fifo_messages_behind_a_refused_one_of_their_group_are_kept() -> None:
    queue = fifo_filled(12, 2)
    destination = FakeDestination(fifo=True, refusals={"4": [REFUSED] * 10})

    tally, _ = await replayed(queue, destination)

    assert [int(each.body) for each in destination.taken if each.group_id == "g1"] == [
        *range(1, 12, 2)
    ]
    kept = {int(body) for body in await left(queue)}
    assert {4} <= kept <= {4, 6, 8, 10}
    assert tally.replayed == 12 - len(kept)


async def test_fifo_queue_can_tell_that_a_message_was_sent_before() -> None:
    class Silent(FakeDestination):
        """Takes what it is sent, and then fails."""

        async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
            await super().send(messages)
            raise DENIED

    queue, first, second = MemoryQueue("dead.fifo"), Silent(fifo=True), FakeDestination(fifo=True)
    queue.send("x", group="g", MessageDeduplicationId="old")

    with pytest.raises(ExceptionGroup):
        await replayed(queue, first)
    await replayed(queue, second)

    [once], [again] = first.taken, second.taken
    assert once.dedup_id == again.dedup_id not in (None, "old")
