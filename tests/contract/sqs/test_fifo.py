"""What every FIFO queue promises, and what a group on a standard queue is."""

import anyio

from tests.support.queues import MAX_RECEIVES, Open, take
from watchbot.sqs.message import Message


async def test_fifo_receipt_that_ran_out_deletes_nothing(opened: Open) -> None:
    async with opened(".fifo") as bench:
        await bench.send("a", group="g")
        (old,) = await bench.queue.receive(1, 0, 30)
        await bench.queue.hide([(old, 0)])

        (refusal,) = await bench.queue.delete([old])

        assert refusal is not None
        assert refusal.lost
        assert await take(bench.queue) == ["a"]


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
            await anyio.sleep(0.05)  # the receive is under way by then
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
