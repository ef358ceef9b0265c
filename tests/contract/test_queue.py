"""What every queue promises: the one in memory, and SQS over HTTP (served by moto, mended)."""

import functools
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

import anyio
import pytest

from tests.cloud import REGION, Cloud
from watchbot.aws import open_client
from watchbot.settings import Account
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Attribute, Message
from watchbot.sqs.queue import Queue, SqsQueue


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A queue under test, a way to send to it, and its dead-letter queue."""

    queue: Queue
    dead_letters: Queue
    send: Callable[..., str]


MAX_RECEIVES = 2
Open = Callable[[str], AbstractAsyncContextManager[Bench]]


@asynccontextmanager
async def in_memory(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    dead_letters = MemoryQueue(f"dead{suffix}")
    queue = MemoryQueue(f"queue{suffix}", dead_letter=dead_letters, max_receives=MAX_RECEIVES)
    yield Bench(queue=queue, dead_letters=dead_letters, send=queue.send)


@asynccontextmanager
async def over_http(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    name = uuid.uuid4().hex
    dead = cloud.queue(f"{name}-dead{suffix}")
    redrive = {"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": MAX_RECEIVES}
    url = cloud.queue(f"{name}{suffix}", RedrivePolicy=json.dumps(redrive))

    def send(
        body: str,
        *,
        group: str | None = None,
        dedup_id: str | None = None,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> str:
        more: dict[str, object] = {}
        if group is not None:
            more["MessageGroupId"] = group
        if suffix:
            more["MessageDeduplicationId"] = dedup_id or uuid.uuid4().hex
        if attributes:
            more["MessageAttributes"] = {
                key: {"DataType": item.type, "StringValue": item.value}
                for key, item in attributes.items()
            }
        return cloud.send(url, body, **more)

    account = Account(region=REGION, endpoint_url=cloud.url)
    async with open_client("sqs", account, attempts=1, wait_s=20) as client:
        yield Bench(queue=SqsQueue(client, url), dead_letters=SqsQueue(client, dead), send=send)


@pytest.fixture(params=[in_memory, over_http], ids=["memory", "sqs"])
def opened(request: pytest.FixtureRequest, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a fresh queue; "" for a standard one, ".fifo" for the other kind."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    open_bench: Callable[[Cloud, str], AbstractAsyncContextManager[Bench]] = request.param
    return functools.partial(open_bench, cloud)


async def take(queue: Queue, count: int = 10, *, wait_s: int = 0, hidden_s: int = 30) -> list[str]:
    return [message.body for message in await queue.receive(count, wait_s, hidden_s)]


async def test_message_comes_as_it_was_sent(opened: Open) -> None:
    async with opened("") as bench:
        sent = bench.send("body", attributes={"k": Attribute(type="String", value="v")})

        (message,) = await bench.queue.receive(10, 0, 30)

        assert (message.id, message.body, message.receives) == (sent, "body", 1)
        assert message.attributes == {"k": Attribute(type="String", value="v")}
        assert message.sent_ms is not None
        assert message.first_received_ms is not None
        assert message.sent_ms <= message.first_received_ms


async def test_receive_brings_as_many_as_asked_for_at_most(opened: Open) -> None:
    async with opened("") as bench:
        for number in range(12):
            bench.send(str(number))

        taken = [await take(bench.queue, 3), await take(bench.queue, 10)]

        assert [len(bodies) for bodies in taken] == [3, 9]
        assert len({*taken[0], *taken[1]}) == 12


async def test_empty_queue_gives_nothing(opened: Open) -> None:
    async with opened("") as bench:
        assert await take(bench.queue) == []


async def test_waiting_receive_wakes_when_a_message_is_sent(opened: Open) -> None:
    async with opened("") as bench, anyio.create_task_group() as tasks:

        async def send_soon() -> None:
            await anyio.sleep(0.05)
            bench.send("late")

        tasks.start_soon(send_soon)
        with anyio.fail_after(10):
            assert await take(bench.queue, wait_s=20) == ["late"]


async def test_deleted_messages_are_gone_and_bad_receipts_are_named(opened: Open) -> None:
    async with opened("") as bench:
        bench.send("a")
        bench.send("b")
        first, second = await bench.queue.receive(10, 0, 30)
        garbage = replace(first, receipt="garbage")

        refusals = await bench.queue.delete([first, garbage, second])

        assert refusals[0] is refusals[2] is None
        assert refusals[1] is not None
        assert refusals[1].lost
        assert int((await bench.queue.facts())["ApproximateNumberOfMessagesNotVisible"]) == 0


async def test_hidden_message_comes_back_with_one_more_receive(opened: Open) -> None:
    async with opened("") as bench:
        bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 1)
        assert await take(bench.queue) == []

        (again,) = await bench.queue.receive(1, 5, 30)

        assert (again.id, again.receives) == (message.id, 2)
        assert again.receipt != message.receipt


async def test_hide_for_nothing_makes_it_visible_at_once(opened: Open) -> None:
    async with opened("") as bench:
        bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 30)

        assert await bench.queue.hide([(message, 0)]) == [None]

        assert await take(bench.queue) == ["a"]


async def test_hide_for_longer_keeps_it_hidden(opened: Open) -> None:
    async with opened("") as bench:
        bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 1)

        await bench.queue.hide([(message, 30)])

        assert await take(bench.queue, wait_s=2) == []


async def test_hide_with_a_superseded_receipt_says_that_the_lease_is_lost(opened: Open) -> None:
    async with opened("") as bench:
        bench.send("a")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])

        (refusal,) = await bench.queue.hide([(old, 30)])

        assert refusal is not None
        assert refusal.lost


async def test_receipt_of_an_earlier_receive_hides_nothing(opened: Open) -> None:
    async with opened("") as bench:
        bench.send("a")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])
        await bench.queue.receive(1, 0, 30)

        (refusal,) = await bench.queue.hide([(old, 0)])

        assert refusal is not None
        assert refusal.lost
        assert await take(bench.queue) == []


async def test_fifo_receipt_that_ran_out_deletes_nothing(opened: Open) -> None:
    async with opened(".fifo") as bench:
        bench.send("a", group="g")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])

        (refusal,) = await bench.queue.delete([old])

        assert refusal is not None
        assert refusal.lost
        assert await take(bench.queue) == ["a"]


async def test_message_received_too_often_is_a_dead_letter(opened: Open) -> None:
    async with opened("") as bench:
        sent = bench.send("poison")
        for _ in range(MAX_RECEIVES):
            (message,) = await bench.queue.receive(1, 0, 30)
            await bench.queue.hide([(message, 0)])

        assert await take(bench.queue) == []
        (dead,) = await bench.dead_letters.receive(1, 0, 30)
        assert (dead.id, dead.body) == (sent, "poison")


async def test_fifo_group_keeps_its_order_and_waits_for_its_head(opened: Open) -> None:
    async with opened(".fifo") as bench:
        for number in range(3):
            bench.send(f"a{number}", group="a")
        bench.send("b0", group="b")

        (head,) = await bench.queue.receive(1, 0, 30)
        assert head.body == "a0"
        assert await take(bench.queue) == ["b0"]

        await bench.queue.delete([head])
        assert await take(bench.queue) == ["a1", "a2"]


async def test_fifo_message_that_goes_back_is_first_again(opened: Open) -> None:
    async with opened(".fifo") as bench:
        for number in range(3):
            bench.send(str(number), group="g")
        messages: list[Message] = await bench.queue.receive(10, 0, 30)

        await bench.queue.hide([(message, 0) for message in reversed(messages)])

        assert await take(bench.queue) == ["0", "1", "2"]


async def test_fifo_poll_wakes_when_the_head_of_its_group_is_deleted(opened: Open) -> None:
    async with opened(".fifo") as bench, anyio.create_task_group() as tasks:
        bench.send("0", group="g")
        bench.send("1", group="g")
        (head,) = await bench.queue.receive(1, 0, 30)

        async def delete_soon() -> None:
            await anyio.sleep(0.05)
            await bench.queue.delete([head])

        tasks.start_soon(delete_soon)
        with anyio.fail_after(10):
            assert await take(bench.queue, wait_s=20) == ["1"]


async def test_fifo_message_sent_twice_comes_once(opened: Open) -> None:
    async with opened(".fifo") as bench:
        first = bench.send("a", group="g", dedup_id="same")
        (message,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.delete([message])

        assert bench.send("b", group="g", dedup_id="same") == first
        assert await take(bench.queue) == []


async def test_group_on_a_standard_queue_is_no_order(opened: Open) -> None:
    async with opened("") as bench:
        bench.send("a", group="g")
        bench.send("b", group="g")

        (first,) = await bench.queue.receive(1, 0, 30)

        assert first.group == "g"
        assert len(await take(bench.queue)) == 1
