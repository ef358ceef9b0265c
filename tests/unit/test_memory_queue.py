"""What the contract cannot reach: hours, and large backlogs."""

import anyio
import anyio.lowlevel
import pytest

from tests.builders import Clock
from watchbot.errors import Rejected
from watchbot.sqs.memory import MemoryQueue


async def test_message_is_hidden_for_twelve_hours_from_its_receive_at_most() -> None:
    clock = Clock()
    queue = MemoryQueue(clock=clock)
    queue.send("a")
    (message,) = await queue.receive(1, 0, 30_000)
    clock.advance(20_000)

    (refusal,) = await queue.hide([(message, 23_201)])
    (granted,) = await queue.hide([(message, 23_200)])

    assert refusal is not None
    assert refusal.code == "InvalidParameterValue"
    assert not refusal.lost
    assert granted is None


async def test_repetition_is_forgotten_after_five_minutes() -> None:
    clock = Clock()
    queue = MemoryQueue("q.fifo", clock=clock)
    first = queue.send("same", group="g")

    clock.advance(299)
    again = queue.send("same", group="g")
    clock.advance(2)
    later = queue.send("same", group="g")

    assert again == first
    assert later != first


async def test_expired_receipt_settles_nothing_in_a_fifo_queue() -> None:
    clock = Clock()
    queue = MemoryQueue("q.fifo", clock=clock)
    queue.send("a", group="g")
    (message,) = await queue.receive(1, 0, 30)
    clock.advance(31)

    (refusal,) = await queue.delete([message])

    assert refusal is not None
    assert len(await queue.receive(1, 0, 30)) == 1


async def test_delayed_message_comes_when_its_time_has_come() -> None:
    clock = Clock()
    queue = MemoryQueue(clock=clock)
    queue.send("a", delay_s=60)
    before = await queue.receive(1, 0, 30)

    clock.advance(61)

    assert before == []
    assert len(await queue.receive(1, 0, 30)) == 1


async def test_every_waiting_receive_is_served() -> None:
    queue, got = MemoryQueue(), list[str]()

    async def take() -> None:
        got.extend(message.body for message in await queue.receive(1, 20, 30))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(take)
            await anyio.lowlevel.checkpoint()
            for body in "abc":
                queue.send(body)

    assert sorted(got) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("body", "group"), [("", "g"), ("x" * 1_048_577, "g"), ("x", None)], ids=["0", "big", "group"]
)
def test_what_sqs_refuses_is_refused(body: str, group: str | None) -> None:
    with pytest.raises(Rejected):
        MemoryQueue("q.fifo").send(body, group=group)
