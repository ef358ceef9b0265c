"""The first word with a queue: how often it is tried, and for how long."""

import logging
from collections.abc import Mapping

import pytest

from tests.support.builders import Clock
from watchbot.errors import AwsError, NotFound, Unreachable
from watchbot.lifecycle import Stop
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.reach import reach

pytestmark = pytest.mark.jumping
FACTS = {"service": "SQS", "operation": "get_queue_attributes", "code": "c", "text": "t"}


class Away(MemoryQueue):
    """A queue each of whose calls takes five seconds, and fails."""

    def __init__(self, clock: Clock, error: AwsError, *, after: int = 1_000) -> None:
        super().__init__()
        self._time = clock
        self.tries = 0
        self._error, self._after = error, after

    async def facts(self) -> Mapping[str, str]:
        self.tries += 1
        self._time.advance(5)
        if self.tries <= self._after:
            raise self._error
        return {}


@pytest.mark.parametrize(("give_up_s", "tries"), [(0, 1), (10, 2), (300, 6)])
async def test_tries_until_the_time_is_over(give_up_s: float, tries: int) -> None:
    clock = Clock()
    queue = Away(clock, Unreachable(**FACTS))

    with pytest.RaisesGroup(Unreachable):
        await reach(queue, Stop(), give_up_s, clock=clock)

    assert queue.tries == tries


async def test_what_no_retry_mends_is_tried_once() -> None:
    queue = Away(Clock(), NotFound(**FACTS))

    with pytest.RaisesGroup(NotFound):
        await reach(queue, Stop(), 300)

    assert queue.tries == 1


async def test_queue_that_comes_back_is_reached() -> None:
    clock = Clock()
    queue = Away(clock, Unreachable(**FACTS), after=1)

    assert await reach(queue, Stop(), 300, clock=clock)
    assert queue.tries == 2


async def test_nobody_s_answer_is_told_at_once_then_seldom_and_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    queue = Away(clock, Unreachable(**FACTS), after=5)

    assert await reach(queue, Stop(), 300, clock=clock)
    assert [(line.msg, line.failures) for line in caplog.records] == [  # type: ignore[attr-defined]  # from `extra`
        ("queue not reached, trying again", 1),
        ("queue not reached, trying again", 3),
        ("queue reached", 5),
    ]
