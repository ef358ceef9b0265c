"""What pauses a queue: the tags of every queue, in memory and over HTTP."""

from tests.support.queues import Open
from watchbot.sqs import pause
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.pause import Pause
from watchbot.sqs.queue import SqsQueue

ARN = "arn:aws:sts::123456789012:assumed-role/ops/ann@example.com"


async def test_pause_is_read_as_it_was_written_until_it_is_cleared(opened: Open) -> None:
    async with opened("") as bench:
        assert isinstance(bench.queue, SqsQueue | MemoryQueue)
        queue = bench.queue
        await queue.tag({"team": "maps"})
        before = await pause.read(queue)

        written = await pause.write(queue, Pause(reason="a load", by=ARN, at="2026-11-29T02:00Z"))
        while_it_lasts = await pause.read(queue)
        await pause.clear(queue)
        await pause.clear(queue)

        assert before is None
        assert while_it_lasts == written == Pause(reason="a load", by=ARN, at="2026-11-29T02:00Z")
        assert await pause.read(queue) is None
        assert await queue.tags() == {"team": "maps"}


async def test_tag_that_was_set_by_hand_pauses_too(opened: Open) -> None:
    async with opened(".fifo") as bench:
        assert isinstance(bench.queue, SqsQueue | MemoryQueue)
        await bench.queue.tag({"watchbot:paused": ""})

        assert await pause.read(bench.queue) == Pause()
