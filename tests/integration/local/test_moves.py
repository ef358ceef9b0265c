"""Tests dead letters and repeated receives of the embedded AWS with boto3."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud, running_cloud

ALL = {"MessageSystemAttributeNames": ["All"], "MaxNumberOfMessages": 10}
SOON_S = 10


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


def source(cloud: Cloud, name: str, dead: str) -> str:
    """A new queue that gives each message up when it is received a second time."""
    policy = json.dumps({"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 1})
    return cloud.queue(name, RedrivePolicy=policy, VisibilityTimeout="0")


def receive(cloud: Cloud, queue: str, **more: Any) -> list[dict[str, Any]]:
    answer = cloud.sqs.receive_message(QueueUrl=queue, **{**ALL, **more})
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def given_up(cloud: Cloud, queue: str, *bodies: str) -> None:
    for body in bodies:
        cloud.send(queue, body)
    for _ in range(2):
        receive(cloud, queue)


def ended(cloud: Cloud, dead: str) -> dict[str, Any]:
    """The last task, after its end or after 10 s."""
    pause = threading.Event()
    for _ in range(int(SOON_S / 0.05)):
        (task,) = cloud.sqs.list_message_move_tasks(SourceArn=cloud.arn(dead))["Results"]
        if task["Status"] not in ("RUNNING", "CANCELLING"):
            break
        pause.wait(0.05)
    result: dict[str, Any] = task
    return result


def refused(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        call(**request)
    code: str = refusal.value.response["Error"]["Code"]
    return code


def test_letters_go_back_each_to_the_queue_that_gave_it_up(cloud: Cloud) -> None:
    dead = cloud.queue("dead")
    first, second = source(cloud, "first", dead), source(cloud, "second", dead)
    given_up(cloud, first, "a")
    given_up(cloud, second, "b")
    letters = receive(cloud, dead, VisibilityTimeout=0)
    came_from = {one["Body"]: one["Attributes"]["DeadLetterQueueSourceArn"] for one in letters}
    assert came_from == {"a": cloud.arn(first), "b": cloud.arn(second)}

    cloud.sqs.start_message_move_task(SourceArn=cloud.arn(dead))

    task = ended(cloud, dead)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 2)
    assert task["ApproximateNumberOfMessagesToMove"] == 2
    assert not {"DestinationArn", "TaskHandle"} & set(task)
    (back,) = receive(cloud, first)
    assert (back["Body"], back["Attributes"]["ApproximateReceiveCount"]) == ("a", "1")
    assert "DeadLetterQueueSourceArn" not in back["Attributes"]
    assert back["MessageId"] not in {letter["MessageId"] for letter in letters}
    assert cloud.depth(dead) == (0, 0)


def test_letters_go_where_the_request_says(cloud: Cloud) -> None:
    dead, other = cloud.queue("dead"), cloud.queue("other")
    given_up(cloud, source(cloud, "q", dead), "a", "b")

    cloud.sqs.start_message_move_task(SourceArn=cloud.arn(dead), DestinationArn=cloud.arn(other))

    assert ended(cloud, dead)["DestinationArn"] == cloud.arn(other)
    assert sorted(one["Body"] for one in receive(cloud, other)) == ["a", "b"]


def test_letter_that_no_queue_gave_up_ends_the_task(cloud: Cloud) -> None:
    dead = cloud.queue("dead")
    source(cloud, "q", dead)
    cloud.send(dead, "by hand")

    cloud.sqs.start_message_move_task(SourceArn=cloud.arn(dead))

    task = ended(cloud, dead)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert cloud.depth(dead) == (1, 0)


def test_slow_task_is_cancelled(cloud: Cloud) -> None:
    dead = cloud.queue("dead")
    given_up(cloud, source(cloud, "q", dead), *"abcdefghij")
    arn = cloud.arn(dead)
    handle = cloud.sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)[
        "TaskHandle"
    ]
    (task,) = cloud.sqs.list_message_move_tasks(SourceArn=arn)["Results"]
    assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
    assert task["MaxNumberOfMessagesPerSecond"] == 1
    start = cloud.sqs.start_message_move_task
    assert refused(start, SourceArn=arn) == "InvalidParameterValue"  # one at a time

    cloud.sqs.cancel_message_move_task(TaskHandle=handle)

    assert ended(cloud, dead)["Status"] == "CANCELLED"
    assert cloud.depth(dead)[0] > 0
    cancel = cloud.sqs.cancel_message_move_task
    assert refused(cancel, TaskHandle=handle) == "ResourceNotFoundException"
    start(SourceArn=arn)
    assert ended(cloud, dead)["Status"] == "COMPLETED"
    assert len(cloud.sqs.list_message_move_tasks(SourceArn=arn, MaxResults=10)["Results"]) == 2


def test_wrong_moves_are_refused(cloud: Cloud) -> None:
    dead, plain = cloud.queue("dead"), cloud.queue("plain")
    source(cloud, "q", dead)
    start, arn = cloud.sqs.start_message_move_task, cloud.arn(dead)

    assert refused(start, SourceArn=arn + "-not") == "ResourceNotFoundException"
    assert refused(start, SourceArn=arn, DestinationArn="x") == "ResourceNotFoundException"
    assert refused(start, SourceArn=cloud.arn(plain)) == "InvalidParameterValue"
    for rate in (0, 501):
        wrong = refused(start, SourceArn=arn, MaxNumberOfMessagesPerSecond=rate)
        assert wrong == "InvalidParameterValue"


def test_old_protocol_moves_too(cloud: Cloud) -> None:
    dead = cloud.queue("dead")
    given_up(cloud, source(cloud, "q", dead), "a")
    key = "Credential=test/20260101/us-east-1/sqs/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {key}, SignedHeaders=host, Signature=0"}

    def ask(action: str, **parameters: str) -> str:
        form = {"Action": action, "Version": "2012-11-05", **parameters}
        answer = requests.post(cloud.url, data=form, headers=signed, timeout=SOON_S)
        assert answer.status_code == 200
        return answer.text

    received = ask(
        "ReceiveMessage", QueueUrl=dead, VisibilityTimeout="0", **{"AttributeName.1": "All"}
    )
    assert "<Name>DeadLetterQueueSourceArn</Name>" in received
    assert "<TaskHandle>" in ask("StartMessageMoveTask", SourceArn=cloud.arn(dead))
    assert ended(cloud, dead)["Status"] == "COMPLETED"
    listed = ask("ListMessageMoveTasks", SourceArn=cloud.arn(dead))
    assert "<Status>COMPLETED</Status>" in listed


def test_repeated_attempt_gets_the_same_messages_until_one_is_changed(cloud: Cloud) -> None:
    queue = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    for body in "ab":
        cloud.send(queue, body, MessageGroupId=body)
    attempt = {"ReceiveRequestAttemptId": "one", "MaxNumberOfMessages": 1}

    (first,) = receive(cloud, queue, **attempt)
    assert receive(cloud, queue, **attempt) == [first]
    (other,) = receive(cloud, queue, MaxNumberOfMessages=1)
    assert receive(cloud, queue, **attempt) == [first]
    cloud.sqs.change_message_visibility(
        QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=60
    )

    assert (first["Body"], other["Body"]) == ("a", "b")
    assert receive(cloud, queue, **attempt) == []
