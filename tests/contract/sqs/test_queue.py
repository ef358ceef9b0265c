"""Promises of every queue: the queue in memory, and SQS over HTTP, served by moto and by us."""

import base64
import json
from dataclasses import replace

import anyio
import pytest

from tests.support.queues import MAX_RECEIVES, Open, take
from watchbot.errors import Rejected
from watchbot.sqs.message import Attribute


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
            await anyio.sleep(0.05)  # the receive is under way by then
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


async def test_message_received_too_often_is_a_dead_letter(opened: Open) -> None:
    async with opened("") as bench:
        sent = await bench.send("poison")
        for _ in range(MAX_RECEIVES):
            (message,) = await bench.queue.receive(1, 0, 30)
            await bench.queue.hide([(message, 0)])

        assert await take(bench.queue) == []
        (dead,) = await bench.dead_letters.receive(1, 0, 30)
        assert (dead.id, dead.body) == (sent, "poison")


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
            await anyio.sleep(0.05)  # the receive is under way by then
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
