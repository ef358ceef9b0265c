"""What every queue promises: the one in memory, and SQS over HTTP, served by moto and by us."""

import base64
import functools
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

import anyio
import pytest

from tests.support.cloud import REGION, Cloud
from tests.support.sqs_server import running_sqs_server
from watchbot.aws import Client, open_client
from watchbot.errors import Rejected
from watchbot.settings.base import AwsEndpoint
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Attribute, Message
from watchbot.sqs.queue import Queue, SqsQueue


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A queue under test, a way to send to it, and its dead-letter queue."""

    queue: Queue
    dead_letters: Queue
    send: Callable[..., Awaitable[str]]


MAX_RECEIVES = 2
Open = Callable[[str], AbstractAsyncContextManager[Bench]]


@asynccontextmanager
async def in_memory(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    dead_letters = MemoryQueue(f"dead{suffix}")
    queue = MemoryQueue(f"queue{suffix}", dead_letter=dead_letters, max_receives=MAX_RECEIVES)

    async def send(body: str, **more: object) -> str:
        return queue.send(body, **more)  # type: ignore[arg-type]

    yield Bench(queue=queue, dead_letters=dead_letters, send=send)


@asynccontextmanager
async def at_moto(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    async with over_http(cloud.url, suffix) as bench:
        yield bench


@asynccontextmanager
async def at_our_server(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    async with running_sqs_server() as sqs, over_http(sqs.url, suffix) as bench:
        yield bench


@asynccontextmanager
async def over_http(endpoint_url: str, suffix: str) -> AsyncIterator[Bench]:
    aws = AwsEndpoint(region=REGION, endpoint_url=endpoint_url)
    async with open_client("sqs", aws, attempts=1, wait_s=20) as client:
        name = uuid.uuid4().hex
        kind = {"FifoQueue": "true"} if suffix else {}
        dead_letters = await create(client, f"{name}-dead{suffix}", **kind)
        redrive = json.dumps(
            {
                "deadLetterTargetArn": (await dead_letters.facts())["QueueArn"],
                "maxReceiveCount": MAX_RECEIVES,
            }
        )
        queue = await create(client, f"{name}{suffix}", RedrivePolicy=redrive, **kind)
        send = functools.partial(send_over_http, client, queue)
        yield Bench(queue=queue, dead_letters=dead_letters, send=send)


async def create(client: Client, name: str, **attributes: str) -> SqsQueue:
    answer = await client.call("create_queue", QueueName=name, Attributes=attributes)
    return SqsQueue(client, answer["QueueUrl"])


async def send_over_http(
    client: Client,
    queue: SqsQueue,
    body: str,
    *,
    attributes: Mapping[str, Attribute] | None = None,
    **more: str,
) -> str:
    parameters: dict[str, object] = {}
    if queue.fifo:
        parameters["MessageGroupId"] = more["group"]
        parameters["MessageDeduplicationId"] = more.get("MessageDeduplicationId", uuid.uuid4().hex)
    elif "group" in more:
        parameters["MessageGroupId"] = more["group"]
    if "AWSTraceHeader" in more:
        trace = {"DataType": "String", "StringValue": more["AWSTraceHeader"]}
        parameters["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
    answer = await client.call(
        "send_message",
        QueueUrl=queue.url,
        MessageBody=body,
        MessageAttributes={key: on_the_wire(item) for key, item in (attributes or {}).items()},
        **parameters,
    )
    message_id: str = answer["MessageId"]
    return message_id


def on_the_wire(item: Attribute) -> dict[str, object]:
    if item.type.startswith("Binary"):
        return {"DataType": item.type, "BinaryValue": base64.b64decode(item.value)}
    return {"DataType": item.type, "StringValue": item.value}


@pytest.fixture(params=[in_memory, at_moto, at_our_server], ids=["memory", "moto", "server"])
def opened(request: pytest.FixtureRequest, cloud: Cloud) -> Open:
    """Opens a fresh queue; "" for a standard one, ".fifo" for the other kind."""
    open_bench: Callable[[Cloud, str], AbstractAsyncContextManager[Bench]] = request.param
    return functools.partial(open_bench, cloud)


@pytest.fixture(params=[in_memory, at_our_server], ids=["memory", "server"])
def opened_ours(request: pytest.FixtureRequest, cloud: Cloud) -> Open:
    """The same, for what moto is known to get wrong."""
    return functools.partial(request.param, cloud)


async def take(queue: Queue, count: int = 10, *, wait_s: int = 0, hidden_s: int = 30) -> list[str]:
    return [message.body for message in await queue.receive(count, wait_s, hidden_s)]


async def test_message_comes_as_it_was_sent(opened: Open) -> None:
    async with opened("") as bench:
        sent = await bench.send("body", attributes={"k": Attribute(type="String", value="v")})

        (message,) = await bench.queue.receive(10, 0, 30)

        assert (message.id, message.body, message.receives) == (sent, "body", 1)
        assert message.attributes == {"k": Attribute(type="String", value="v")}
        assert message.sent_ms is not None
        assert message.first_received_ms is not None
        assert message.sent_ms <= message.first_received_ms


async def test_receive_brings_as_many_as_asked_for_at_most(opened: Open) -> None:
    async with opened("") as bench:
        for number in range(12):
            await bench.send(str(number))

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
            await bench.send("late")

        tasks.start_soon(send_soon)
        with anyio.fail_after(10):
            assert await take(bench.queue, wait_s=20) == ["late"]


async def test_deleted_messages_are_gone_and_bad_receipts_are_named(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        await bench.send("b")
        first, second = await bench.queue.receive(10, 0, 30)
        garbage = replace(first, receipt="garbage")

        refusals = await bench.queue.delete([first, garbage, second])

        assert refusals[0] is refusals[2] is None
        assert refusals[1] is not None
        assert refusals[1].lost
        assert int((await bench.queue.facts())["ApproximateNumberOfMessagesNotVisible"]) == 0


async def test_hidden_message_comes_back_with_one_more_receive(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 1)
        assert await take(bench.queue) == []

        with anyio.fail_after(10):
            (again,) = await bench.queue.receive(1, 20, 30)

        assert (again.id, again.receives) == (message.id, 2)
        assert again.receipt != message.receipt


async def test_hide_for_nothing_makes_it_visible_at_once(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 30)

        assert await bench.queue.hide([(message, 0)]) == [None]

        assert await take(bench.queue) == ["a"]


async def test_hide_for_longer_keeps_it_hidden(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 1)

        await bench.queue.hide([(message, 30)])

        assert await take(bench.queue, wait_s=2) == []


async def test_hide_with_a_superseded_receipt_says_that_the_lease_is_lost(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])

        (refusal,) = await bench.queue.hide([(old, 30)])

        assert refusal is not None
        assert refusal.lost


async def test_receipt_of_an_earlier_receive_hides_nothing(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])
        await bench.queue.receive(1, 0, 30)

        (refusal,) = await bench.queue.hide([(old, 0)])

        assert refusal is not None
        assert refusal.lost
        assert await take(bench.queue) == []


async def test_fifo_receipt_that_ran_out_deletes_nothing(opened: Open) -> None:
    async with opened(".fifo") as bench:
        await bench.send("a", group="g")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])

        (refusal,) = await bench.queue.delete([old])

        assert refusal is not None
        assert refusal.lost
        assert await take(bench.queue) == ["a"]


async def test_message_received_too_often_is_a_dead_letter(opened: Open) -> None:
    async with opened("") as bench:
        sent = await bench.send("poison")
        for _ in range(MAX_RECEIVES):
            (message,) = await bench.queue.receive(1, 0, 30)
            await bench.queue.hide([(message, 0)])

        assert await take(bench.queue) == []
        (dead,) = await bench.dead_letters.receive(1, 0, 30)
        assert (dead.id, dead.body) == (sent, "poison")


async def test_fifo_group_keeps_its_order_and_waits_for_its_head(opened: Open) -> None:
    async with opened(".fifo") as bench:
        for number in range(3):
            await bench.send(f"a{number}", group="a")
        await bench.send("b0", group="b")

        (head,) = await bench.queue.receive(1, 0, 30)
        assert head.body == "a0"
        assert await take(bench.queue) == ["b0"]

        await bench.queue.delete([head])
        assert await take(bench.queue) == ["a1", "a2"]


async def test_fifo_message_that_goes_back_is_first_again(opened: Open) -> None:
    async with opened(".fifo") as bench:
        for number in range(3):
            await bench.send(str(number), group="g")
        messages: list[Message] = await bench.queue.receive(10, 0, 30)

        await bench.queue.hide([(message, 0) for message in reversed(messages)])

        assert await take(bench.queue) == ["0", "1", "2"]


async def test_fifo_poll_wakes_when_the_head_of_its_group_is_deleted(opened: Open) -> None:
    async with opened(".fifo") as bench, anyio.create_task_group() as tasks:
        await bench.send("0", group="g")
        await bench.send("1", group="g")
        (head,) = await bench.queue.receive(1, 0, 30)

        async def delete_soon() -> None:
            await anyio.sleep(0.05)
            await bench.queue.delete([head])

        tasks.start_soon(delete_soon)
        with anyio.fail_after(10):
            assert await take(bench.queue, wait_s=20) == ["1"]


async def test_fifo_message_sent_twice_comes_once(opened: Open) -> None:
    async with opened(".fifo") as bench:
        first = await bench.send("a", group="g", MessageDeduplicationId="same")
        (message,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.delete([message])

        assert await bench.send("b", group="g", MessageDeduplicationId="same") == first
        assert await take(bench.queue) == []


async def test_group_on_a_standard_queue_is_no_order(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a", group="g")
        await bench.send("b", group="g")

        (first,) = await bench.queue.receive(1, 0, 30)

        assert first.group == "g"
        assert len(await take(bench.queue)) == 1


async def test_bytes_come_as_base64_text(opened: Open) -> None:
    async with opened("") as bench:
        picture = Attribute(type="Binary.png", value=base64.b64encode(b"\x00\xff").decode())
        number = Attribute(type="Number", value="3")
        await bench.send("a", attributes={"picture": picture, "n": number})

        (message,) = await bench.queue.receive(1, 0, 30)

        assert message.attributes == {"picture": picture, "n": number}


async def test_trace_comes_along(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a", AWSTraceHeader="Root=1-5759e988-bd862e3fe1be46a994272793")

        (message,) = await bench.queue.receive(1, 0, 30)

        assert message.system["AWSTraceHeader"] == "Root=1-5759e988-bd862e3fe1be46a994272793"


async def test_first_receive_is_remembered(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (first,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(first, 0)])

        (again,) = await bench.queue.receive(1, 0, 30)

        assert again.first_received_ms == first.first_received_ms
        assert again.sent_ms == first.sent_ms


async def test_waiting_receive_wakes_when_a_message_is_let_go(opened: Open) -> None:
    async with opened("") as bench, anyio.create_task_group() as tasks:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 30)

        async def let_go_soon() -> None:
            await anyio.sleep(0.05)
            await bench.queue.hide([(message, 0)])

        tasks.start_soon(let_go_soon)
        with anyio.fail_after(10):
            assert await take(bench.queue, wait_s=20) == ["a"]


async def test_some_of_a_batch_are_hidden_and_bad_receipts_are_named(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 30)
        garbage = replace(message, receipt="garbage")

        bad, good = await bench.queue.hide([(garbage, 0), (message, 0)])

        assert bad is not None
        assert bad.lost
        assert good is None
        assert await take(bench.queue) == ["a"]


async def test_nothing_is_hidden_past_its_twelve_hours(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 30)
        await anyio.sleep(0.01)  # of the twelve hours

        too_long, most = await bench.queue.hide([(message, 43_200), (message, 43_195)])

        assert too_long is not None
        assert too_long.code == "InvalidParameterValue"
        assert not too_long.lost
        assert most is None


async def test_what_is_gone_can_be_deleted_again(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 30)

        assert await bench.queue.delete([message]) == [None]
        assert await bench.queue.delete([message]) == [None]


async def test_superseded_receipt_is_taken_and_deletes_nothing(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])
        (new,) = await bench.queue.receive(1, 0, 30)

        assert await bench.queue.delete([old]) == [None]

        assert await bench.queue.hide([(new, 30)]) == [None]


async def test_last_receipt_deletes_even_after_its_time(opened: Open) -> None:
    async with opened("") as bench:
        await bench.send("a")
        (message,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(message, 0)])

        assert await bench.queue.delete([message]) == [None]

        assert await take(bench.queue) == []


async def test_fifo_group_that_is_blocked_holds_up_no_other(opened: Open) -> None:
    async with opened(".fifo") as bench:
        for body in ("a0", "b0", "c0", "a1", "b1", "c1"):
            await bench.send(body, group=body[0])
        (head,) = await bench.queue.receive(1, 0, 30)

        others = await take(bench.queue)

        assert head.body == "a0"
        assert [body for body in others if body.startswith("b")] == ["b0", "b1"]
        assert [body for body in others if body.startswith("c")] == ["c0", "c1"]
        assert len(others) == 4


async def test_fifo_group_waits_until_all_of_it_are_settled(opened: Open) -> None:
    async with opened(".fifo") as bench:
        for number in range(4):
            await bench.send(str(number), group="g")
        first, second = await bench.queue.receive(2, 0, 30)

        await bench.queue.delete([first])
        assert await take(bench.queue) == []

        await bench.queue.hide([(second, 0)])
        assert await take(bench.queue) == ["1", "2", "3"]


async def test_fifo_messages_say_their_group_and_place(opened: Open) -> None:
    async with opened(".fifo") as bench:
        await bench.send("a", group="g", MessageDeduplicationId="one")
        await bench.send("b", group="g", MessageDeduplicationId="two")

        first, second = await bench.queue.receive(2, 0, 30)

        assert (first.group, first.system["MessageDeduplicationId"]) == ("g", "one")
        assert int(first.system["SequenceNumber"]) < int(second.system["SequenceNumber"])


async def test_dead_letter_of_a_fifo_queue_frees_its_group(opened: Open) -> None:
    async with opened(".fifo") as bench:
        await bench.send("poison", group="g")
        await bench.send("next", group="g")
        for _ in range(MAX_RECEIVES):
            (message,) = await bench.queue.receive(1, 0, 30)
            await bench.queue.hide([(message, 0)])

        assert await take(bench.queue) == ["next"]
        assert await take(bench.dead_letters) == ["poison"]


async def test_dead_letter_says_where_it_comes_from(opened_ours: Open) -> None:
    async with opened_ours("") as bench:  # moto forgets the source of what a receive moves
        await bench.send("poison")
        for _ in range(MAX_RECEIVES):
            (message,) = await bench.queue.receive(1, 0, 30)
            await bench.queue.hide([(message, 0)])

        assert await take(bench.queue) == []
        (dead,) = await bench.dead_letters.receive(1, 0, 30)

        source = (await bench.queue.facts())["QueueArn"]
        assert dead.system["DeadLetterQueueSourceArn"] == source
        assert dead.receives == MAX_RECEIVES + 1  # SQS counts across queues


async def test_queue_says_what_is_in_it(opened: Open) -> None:
    async with opened("") as bench:
        for body in "abc":
            await bench.send(body)
        await take(bench.queue, 1)

        facts = await bench.queue.facts()

        assert facts["ApproximateNumberOfMessages"] == "2"
        assert facts["ApproximateNumberOfMessagesNotVisible"] == "1"
        assert facts["ApproximateNumberOfMessagesDelayed"] == "0"
        assert facts["VisibilityTimeout"] == "30"
        assert json.loads(facts["RedrivePolicy"])["maxReceiveCount"] == MAX_RECEIVES


@pytest.mark.parametrize("count", [0, 11])
async def test_impossible_receive_is_refused(opened: Open, count: int) -> None:
    async with opened("") as bench:
        with pytest.raises(Rejected):
            await bench.queue.receive(count, 0, 30)
