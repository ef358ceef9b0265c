"""Looks at a queue: whether it is paused."""

from collections.abc import Mapping

import anyio
import pytest

from tests.support.builders import a_jumping_world
from watchbot.errors import AwsError, Denied, Rejected, Throttled, Unreachable
from watchbot.lifecycle import Stop
from watchbot.listen.looks import QueueWatch, look_first
from watchbot.sqs import pause
from watchbot.sqs.leases import Leases
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.pause import Pause
from watchbot.sqs.source import Source
from watchbot.sqs.valve import Valve

pytestmark = pytest.mark.jumping
FACTS = {"service": "SQS", "operation": "list_queue_tags", "code": "No", "text": "not now"}


class Counted(MemoryQueue):
    """A queue that counts the looks at its tags, and may refuse them."""

    def __init__(self, *faults: AwsError) -> None:
        super().__init__("q", world=a_jumping_world())
        self.looks, self.measures, self.faults = 0, 0, list(faults)

    async def tags(self) -> Mapping[str, str]:
        self.looks += 1
        if self.faults:
            raise self.faults.pop(0)
        return await super().tags()

    async def facts(self) -> Mapping[str, str]:
        self.measures += 1
        return await super().facts()


def looking(queue: Counted) -> tuple[QueueWatch, Source]:
    world = a_jumping_world()
    source = Source(queue, Leases(queue, 30, world=world), Valve(world))
    return QueueWatch(source, queue, world), source


async def looked_for(looks: QueueWatch, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await looks.for_ever()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


async def test_pause_is_seen_before_the_first_receive_and_its_end_within_18_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "watchbot")
    queue = Counted()
    looks, source = looking(queue)
    await pause.write(queue, Pause(reason="a load", by="ann", at="today"))

    await look_first([looks], Stop())
    first = source.remark
    await looked_for(looks, 60)
    await pause.clear(queue)
    await looked_for(looks, 18)

    assert first == "paused: a load, by ann, since today"
    assert source.pause is None
    [said, gone] = caplog.records
    assert (said.message, gone.message) == ("paused", "resumed")
    assert {name: vars(said)[name] for name in ("reason", "by", "since", "queue")} == {
        "reason": "a load",
        "by": "ann",
        "since": "today",
        "queue": "q",
    }


async def test_queue_is_looked_at_every_15_seconds_and_measured_every_minute() -> None:
    queue = Counted()
    looks, _ = looking(queue)

    await looked_for(looks, 600)

    assert 33 <= queue.looks <= 50
    assert 8 <= queue.measures <= 11


@pytest.mark.parametrize("fault", [Throttled(**FACTS), Unreachable(**FACTS)])
async def test_look_that_fails_changes_nothing(fault: AwsError) -> None:
    queue = Counted()
    looks, source = looking(queue)
    await pause.write(queue, Pause(reason="a load"))
    await look_first([looks], Stop())
    await pause.clear(queue)
    queue.faults = [fault] * 2

    await looked_for(looks, 31)  # two looks, at 12 to 18 seconds each
    meanwhile = source.pause
    await looked_for(looks, 40)

    assert meanwhile == Pause(reason="a load")
    assert source.pause is None


@pytest.mark.parametrize("fault", [Denied(**FACTS), Rejected(**FACTS)])
async def test_queue_whose_tags_are_refused_is_not_paused_and_says_so_once(
    fault: AwsError, caplog: pytest.LogCaptureFixture
) -> None:
    queue = Counted(*[fault] * 50)
    looks, source = looking(queue)

    await look_first([looks], Stop())
    await looked_for(looks, 3_600)

    assert source.pause is None
    assert lines(caplog) == ["cannot be paused: sqs:ListQueueTags is refused"]
    assert queue.looks <= 5


async def test_throttled_start_is_tried_again_and_then_receives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    throttled, late = Counted(*[Throttled(**FACTS)] * 9), Counted(Throttled(**FACTS))
    await pause.write(late, Pause(reason="a load"))
    (looks, source), (other_looks, other) = looking(throttled), looking(late)

    await look_first([looks, other_looks], Stop())

    assert (source.pause, other.pause) == (None, Pause(reason="a load"))
    assert throttled.looks == 3
    assert lines(caplog) == ["not known whether the queue is paused, receiving"]


async def test_stop_ends_the_first_look() -> None:
    class Silent(Counted):
        async def tags(self) -> Mapping[str, str]:
            await anyio.sleep_forever()
            return {}

    looks, _ = looking(Silent())
    stop = Stop()
    stop.ask()

    with anyio.fail_after(1):
        await look_first([looks], stop)
