"""Counts what the console asks of AWS, because times would depend on the machine."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.benchmarks.bench import Server, serving
from tests.support.builders import Clock
from tests.support.cloud import Cloud, running_cloud
from tests.support.console import Person, console
from watchbot.console.fresh import AGE_S
from watchbot.console.queues import AGES_EVERY_S, Queues
from watchbot.settings.base import load
from watchbot.settings.status import StatusSettings

QUEUES, VIEWERS, LOOKS = 20, 10, 5


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def test_ten_viewers_cost_what_one_does(server: Server) -> None:
    named = [word for _ in range(QUEUES) for word in ("--queue-url", server.queue())]
    with closing(Cloud(server.url)) as cloud, console(cloud, *named) as url:
        _told(server)
        began = time.monotonic()
        with ThreadPoolExecutor(VIEWERS) as viewers:
            pages = list(viewers.map(lambda _: Person(url).look("/"), range(VIEWERS * LOOKS)))
        took_s = time.monotonic() - began
        calls = _told(server)

    assert all("q20 0 0 0" in page for page in pages)
    most = QUEUES * (1 + int(took_s / AGE_S))
    assert calls["GetQueueAttributes"] <= most  # and one more for each dead-letter queue
    assert calls["ListQueueTags"] <= most
    assert set(calls) == {"GetQueueAttributes", "ListQueueTags"}


def test_console_that_nobody_looks_at_asks_nothing(server: Server) -> None:
    with closing(Cloud(server.url)) as cloud, console(cloud, "--queue-url", server.queue()) as url:
        _told(server)
        Person(url).look("/audit")
        asked = _told(server)

    assert asked == {}


def _told(server: Server) -> dict[str, int]:
    """How often each action was called since this was told last."""
    told = server.call("TellCalls")
    return {action: note["count"] for action, note in told.items() if action != "TellCalls"}


async def test_cloudwatch_is_asked_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_cloud() as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
        queue, clock = cloud.queue("aged"), Clock()
        cloud.send(queue, "waits")
        queues = Queues(load(StatusSettings, {"queue_url": [queue]}), clock=clock)
        shown = []
        for ago_min, later_s in ((5, AGES_EVERY_S - 1), (3, 1), (1, 0)):
            _let_know(cloud, ago_min, age_s=90.0 - 10 * ago_min)
            shown += [state.oldest_s for state in await queues.look()]
            clock.advance(later_s)

    assert shown == [40.0, 40.0, 80.0]


def _let_know(cloud: Cloud, ago_min: int, age_s: float) -> None:
    figure = {
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": "aged"}],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=ago_min),
        "Value": age_s,
        "Unit": "Seconds",
    }
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[figure])
