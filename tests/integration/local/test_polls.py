"""Long polls of the embedded AWS wait without work, and wake at once.

The tests count the lines of Python that run: a clock would say more of the machine.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

import boto3
import pytest

from tests.support.cloud import REGION, Cloud
from tests.support.local_aws import SOON_S, bodies, by_hand, connect, delete, poll, receive, show


def lines_run_by_server(url: str, call: Callable[[Any], Any]) -> int:
    """The lines of Python that the thread runs which answers a new connection's one call."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("sqs", endpoint_url=url, region_name=REGION, **access)
    threading.settrace(trace)
    try:
        call(client)
    finally:
        threading.settrace(None)
        client.close()
    return count


def cost_of_calls(cloud: Cloud, name: str, waiting: int) -> dict[str, int]:
    """The lines that each call runs while messages wait, by the call's name."""
    queue_url = cloud.queue(name, ContentBasedDeduplication="true")
    group = {"MessageGroupId": "a"} if name.endswith(".fifo") else {}
    for batch in range(waiting // 10):
        entries = [{"Id": f"{n}", "MessageBody": f"{batch} {n}", **group} for n in range(10)]
        cloud.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    cloud.attributes(queue_url)  # the first call of a kind builds what later ones find
    held = receive(cloud, queue_url)
    show(cloud, queue_url, held.pop(), in_s=30)
    delete(cloud, queue_url, held.pop())
    to = {"QueueUrl": queue_url}
    first = {**to, "ReceiptHandle": held[0]["ReceiptHandle"]}
    calls: dict[str, Callable[[Any], Any]] = {
        "send": lambda sqs: sqs.send_message(**to, MessageBody="new", **group),
        "receive": lambda sqs: sqs.receive_message(**to, MaxNumberOfMessages=10),
        "hide": lambda sqs: sqs.change_message_visibility(**first, VisibilityTimeout=20),
        "delete": lambda sqs: sqs.delete_message(**first),
        "attributes": lambda sqs: sqs.get_queue_attributes(**to, AttributeNames=["All"]),
    }
    return {name: lines_run_by_server(cloud.url, call) for name, call in calls.items()}


@pytest.mark.parametrize("kind", ["", ".fifo"], ids=["standard", "fifo"])
def test_calls_cost_as_much_with_five_thousand_waiting_as_with_fifty(
    cloud: Cloud, kind: str
) -> None:
    few = cost_of_calls(cloud, f"few{kind}", waiting=50)
    many = cost_of_calls(cloud, f"many{kind}", waiting=5_000)

    assert {call: lines for call, lines in many.items() if lines > 1.2 * few[call]} == {}
    assert min(few.values()) > 100  # lines were counted at all


def test_poll_that_waits_runs_nothing_meanwhile(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    receive(cloud, queue_url)

    def lines(wait_s: int) -> int:
        return lines_run_by_server(
            cloud.url, lambda sqs: sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=wait_s)
        )

    assert lines(wait_s=1) < lines(wait_s=0) + 150


@contextmanager
def threads_that_switch_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def test_parallel_receives_hand_each_message_out_once(
    cloud: Cloud, threads: ThreadPoolExecutor
) -> None:
    queue_url = cloud.queue("q")
    sent = [str(number) for number in range(1_600)]
    cloud.send_many(queue_url, sent)

    def drain(_: int) -> list[str]:
        mine: list[str] = []
        while messages := receive(cloud, queue_url):
            mine += bodies(messages)
        return mine

    with threads_that_switch_often():
        received = [body for share in threads.map(drain, range(8)) for body in share]

    assert sorted(received, key=int) == sent
    assert cloud.depth(queue_url) == (0, 1_600)


def test_poll_wakes_when_a_message_is_sent(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    queue_url = cloud.queue("q")
    answer = poll(cloud, threads, queue_url)

    cloud.send(queue_url, "new")

    assert bodies(answer.result(SOON_S)) == ["new"]


def test_poll_wakes_when_a_message_is_given_back(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "again")
    [message] = receive(cloud, queue_url, VisibilityTimeout=600)
    answer = poll(cloud, threads, queue_url)

    show(cloud, queue_url, message)

    assert bodies(answer.result(SOON_S)) == ["again"]


def test_poll_wakes_when_a_lease_runs_out(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "again")
    receive(cloud, queue_url, VisibilityTimeout=1)

    answer = poll(cloud, threads, queue_url)

    assert bodies(answer.result(SOON_S)) == ["again"]


def test_poll_wakes_when_the_head_of_a_group_is_deleted(
    cloud: Cloud, threads: ThreadPoolExecutor
) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    cloud.send(queue_url, "first", MessageGroupId="a")
    cloud.send(queue_url, "second", MessageGroupId="a")
    [first] = receive(cloud, queue_url, count=1)
    answer = poll(cloud, threads, queue_url)

    delete(cloud, queue_url, first)

    assert bodies(answer.result(SOON_S)) == ["second"]


def test_client_that_left_takes_no_message_along(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    gone = connect(cloud)
    gone.request(*by_hand(cloud, "ReceiveMessage", QueueUrl=queue_url, WaitTimeSeconds=20))
    time.sleep(0.2)  # the server waits for messages by then
    gone.close()

    cloud.send(queue_url, "new")

    [message] = receive(cloud, queue_url, WaitTimeSeconds=5)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
