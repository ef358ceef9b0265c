"""Notices on their way to a topic: batches, retries, and what is said of those that are lost."""

import logging
from typing import Any

import anyio
import pytest

from tests.support.builders import Clock
from tests.support.destination import no_pause
from tests.support.topic import FakeTopic
from watchbot.errors import Denied, Rejected, Throttled
from watchbot.listen.publishing import QUIET_S, TRIES, Dropped, Topic
from watchbot.sqs.outgoing import Outgoing

ARN = "arn:aws:sns:us-east-1:123456789012:t"
FACTS = {"service": "SNS", "operation": "publish", "code": "Code", "text": "text"}


def notices(count: int) -> list[Outgoing]:
    return [Outgoing(body=str(number), subject="s") for number in range(count)]


async def published(client: FakeTopic, count: int = 3) -> list[str]:
    topic = Topic(client, ARN, pause=no_pause)  # type: ignore[arg-type]  # a fake
    with anyio.fail_after(5):
        await topic.publish(notices(count))
    return client.taken


async def test_ten_notices_are_one_call() -> None:
    client = FakeTopic()

    assert await published(client, 10) == [str(number) for number in range(10)]
    assert client.operations == ["publish_batch"]


async def test_topic_that_takes_no_batches_gets_each_alone_from_then_on() -> None:
    client = FakeTopic(takes_batches=False)
    topic = Topic(client, ARN, pause=no_pause)  # type: ignore[arg-type]  # a fake

    await topic.publish(notices(3))
    await topic.publish(notices(2))

    assert client.taken == ["0", "1", "2", "0", "1"]
    assert client.operations == ["publish_batch", *["publish"] * 5]


async def test_batch_that_is_refused_for_one_notice_costs_the_others_nothing() -> None:
    client = FakeTopic(bad={"1"})

    assert await published(client) == ["0", "2"]


async def test_throttled_part_of_a_batch_is_tried_again() -> None:
    client = FakeTopic(throttled=["1"])

    assert await published(client) == ["0", "2", "1"]


@pytest.mark.parametrize(
    ("errors", "calls", "taken"),
    [
        ([Throttled(**FACTS)], 2, ["0", "1", "2"]),
        ([Throttled(**FACTS)] * TRIES, TRIES, []),
        ([Denied(**FACTS)], 1, []),
    ],
)
async def test_call_that_fails_is_tried_again_where_that_may_pass(
    errors: list[Any], calls: int, taken: list[str]
) -> None:
    client = FakeTopic(errors=errors)

    assert await published(client) == taken
    assert len(client.operations) == calls


async def test_trouble_with_the_topic_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    await published(FakeTopic(errors=[Rejected(**FACTS)] * 4))

    assert [record.getMessage() for record in caplog.records] == ["notification failed"]


def test_dropped_notices_are_told_once_a_minute_and_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    dropped = Dropped(clock)
    for _ in range(2):
        dropped.add(1)
        dropped.log()
    dropped.add(5)
    clock.advance(QUIET_S)
    dropped.log()
    dropped.add(3)
    dropped.log()
    dropped.log(at_once=True)
    dropped.log(at_once=True)

    assert [vars(record)["count"] for record in caplog.records] == [1, 6, 3]
