"""Our SQS server, asked by clients that are not ours; and what no client of ours does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import running_cloud
from tests.support.sqs_server import running_sqs_server
from watchbot.aws import open_client
from watchbot.errors import NotFound
from watchbot.settings.base import AwsEndpoint
from watchbot.sqs.queue import SqsQueue

AWS = Path(sys.executable).parent / "aws"


def create(sqs: Any, name: str, **attributes: str) -> str:
    queue_url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return queue_url


def test_boto3_sends_and_receives(sqs: Any) -> None:
    url = create(sqs, "boto3")
    attributes = {
        "text": {"DataType": "String", "StringValue": "v"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sqs.send_message(QueueUrl=url, MessageBody="grüße", MessageAttributes=attributes)

    (message,) = sqs.receive_message(
        QueueUrl=url, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]

    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "grüße")
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_digest_of_attributes_is_that_of_the_embedded_aws(sqs: Any) -> None:
    attributes = {
        "text": {"DataType": "String.mine", "StringValue": "grüße"},
        "number": {"DataType": "Number", "StringValue": "1"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    with running_cloud() as cloud:
        elsewhere = cloud.sqs.send_message(
            QueueUrl=cloud.queue("q"), MessageBody="b", MessageAttributes=attributes
        )

    sent = sqs.send_message(
        QueueUrl=create(sqs, "digest"), MessageBody="b", MessageAttributes=attributes
    )

    assert sent["MD5OfMessageAttributes"] == elsewhere["MD5OfMessageAttributes"]


def test_boto3_tags_queues(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="tagged", tags={"a": "1"})["QueueUrl"]

    sqs.tag_queue(QueueUrl=url, Tags={"b": "2", "c": "3"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["c", "never"])

    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "1", "b": "2"}


def test_boto3_finds_the_sources_of_a_dead_letter_queue(sqs: Any) -> None:
    dead = create(sqs, "grave")
    attributes = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = {"deadLetterTargetArn": attributes["QueueArn"], "maxReceiveCount": 1}
    source = create(sqs, "sick", RedrivePolicy=json.dumps(policy))

    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [source]
    with pytest.raises(ClientError, match="no such task"):
        sqs.cancel_message_move_task(TaskHandle="over")


def test_fifo_queue_answers_with_the_place_of_a_message(sqs: Any) -> None:
    url = create(sqs, "places.fifo", FifoQueue="true", ContentBasedDeduplication="true")

    first = sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g")
    again = sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g")
    entries = [{"Id": "0", "MessageBody": "b", "MessageGroupId": "h"}]
    (batched,) = sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    received = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SequenceNumber"]
    )["Messages"]
    plain = sqs.send_message(QueueUrl=create(sqs, "placeless"), MessageBody="a")

    assert again["SequenceNumber"] == first["SequenceNumber"] < batched["SequenceNumber"]
    assert [one["Attributes"]["SequenceNumber"] for one in received] == [
        first["SequenceNumber"],
        batched["SequenceNumber"],
    ]
    assert "SequenceNumber" not in plain


def bury(sqs: Any, url: str, *bodies: str, **group: str) -> None:
    for number, body in enumerate(bodies):
        named = {"MessageDeduplicationId": str(number)} if group else {}
        sqs.send_message(QueueUrl=url, MessageBody=body, **group, **named)
    for _ in range(2):
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)


def bodies_in(sqs: Any, url: str) -> list[str]:
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in messages]


@pytest.mark.parametrize(
    ("ending", "more", "group"),
    [("", {}, {}), (".fifo", {"FifoQueue": "true"}, {"MessageGroupId": "g"})],
    ids=["standard", "fifo"],
)
def test_letters_go_back_each_to_its_source(
    sqs: Any, ending: str, more: dict[str, str], group: dict[str, str]
) -> None:
    dead = create(sqs, f"back-dead{ending}", **more)
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 1})
    first, second = (
        create(sqs, f"back-{name}{ending}", RedrivePolicy=policy, **more) for name in "12"
    )
    bury(sqs, first, "a", "a", **group)
    bury(sqs, second, "b", **group)

    sqs.start_message_move_task(SourceArn=arn["QueueArn"])

    (task,) = sqs.list_message_move_tasks(SourceArn=arn["QueueArn"])["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 3)
    assert "DestinationArn" not in task
    assert (bodies_in(sqs, first), bodies_in(sqs, second)) == (["a", "a"], ["b"])
    assert bodies_in(sqs, dead) == []


def test_letter_of_no_source_stays_and_ends_the_move(sqs: Any) -> None:
    dead = create(sqs, "no-source")
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    sqs.send_message(QueueUrl=dead, MessageBody="by hand")

    sqs.start_message_move_task(SourceArn=arn["QueueArn"])

    (task,) = sqs.list_message_move_tasks(SourceArn=arn["QueueArn"])["Results"]
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert bodies_in(sqs, dead) == ["by hand"]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        sqs.start_message_move_task(SourceArn=f"{arn['QueueArn']}-not")


def test_attributes_come_only_when_asked_for(sqs: Any) -> None:
    url = create(sqs, "attributes")
    text = {"DataType": "String", "StringValue": "v"}
    sqs.send_message(
        QueueUrl=url, MessageBody="b", MessageAttributes={"a.b": text, "a.c": text, "d": text}
    )

    bare, chosen = (
        sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, **wanted)["Messages"][0]
        for wanted in (
            {},
            {
                "MessageAttributeNames": ["a.*"],
                "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
            },
        )
    )

    assert bare.keys() == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    assert chosen["MessageAttributes"].keys() == {"a.b", "a.c"}
    assert chosen["Attributes"] == {"ApproximateReceiveCount": "2"}


def test_batches_answer_for_each_entry(sqs: Any) -> None:
    url = create(sqs, "batches.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    sent = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "MessageBody": "a", "MessageGroupId": "g"},
            {"Id": "bad", "MessageBody": "b"},
        ],
    )
    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    deleted = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
            {"Id": "bad", "ReceiptHandle": "garbage"},
        ],
    )

    for answer, code in ((sent, "MissingParameter"), (deleted, "ReceiptHandleIsInvalid")):
        assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
        assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("bad", code)]


def test_queue_keeps_to_what_is_set_on_it(sqs: Any) -> None:
    dead = create(sqs, "settings-dead")
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": "1"})
    url = create(sqs, "settings")
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"}
    )
    sqs.send_message(QueueUrl=url, MessageBody="b")

    first = sqs.receive_message(QueueUrl=url)
    second = sqs.receive_message(QueueUrl=url)
    buried = sqs.receive_message(QueueUrl=dead)

    assert ["Messages" in answer for answer in (first, second, buried)] == [True, False, True]


def test_delayed_messages_are_counted_and_not_given(sqs: Any) -> None:
    url = create(sqs, "delayed", DelaySeconds="60")
    sqs.send_message(QueueUrl=url, MessageBody="later")
    sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)

    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    facts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    assert [message["Body"] for message in answer["Messages"]] == ["now"]
    assert facts["ApproximateNumberOfMessagesDelayed"] == "1"


def test_queues_are_found_listed_purged_and_deleted(sqs: Any) -> None:
    url = create(sqs, "found-and-lost")
    sqs.send_message(QueueUrl=url, MessageBody="b")

    assert sqs.get_queue_url(QueueName="found-and-lost")["QueueUrl"] == url
    assert sqs.list_queues(QueueNamePrefix="found")["QueueUrls"] == [url]
    sqs.purge_queue(QueueUrl=url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="found")


OLD = "AWS.SimpleQueueService"  # boto still goes by how codes were spelled before JSON
TO_QUEUE = {"QueueUrl": "refusals"}


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("get_queue_url", {"QueueName": "none"}, f"{OLD}.NonExistentQueue"),
        ("create_queue", {"QueueName": "odd.fifo"}, "InvalidParameterValue"),
        ("remove_permission", {**TO_QUEUE, "Label": "a"}, f"{OLD}.UnsupportedOperation"),
        ("send_message", {**TO_QUEUE, "MessageBody": "\x00"}, "InvalidMessageContents"),
        ("send_message", {**TO_QUEUE, "MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
        ("receive_message", {**TO_QUEUE, "MaxNumberOfMessages": 11}, "ReadCountOutOfRange"),
        ("receive_message", {**TO_QUEUE, "WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("delete_message", {**TO_QUEUE, "ReceiptHandle": "garbage"}, "ReceiptHandleIsInvalid"),
        (
            "change_message_visibility",
            {**TO_QUEUE, "ReceiptHandle": "gone 1", "VisibilityTimeout": 0},
            f"{OLD}.MessageNotInflight",
        ),
        ("delete_message_batch", {**TO_QUEUE, "Entries": []}, f"{OLD}.EmptyBatchRequest"),
        (
            "delete_message_batch",
            {**TO_QUEUE, "Entries": [{"Id": "a", "ReceiptHandle": "r"}] * 2},
            f"{OLD}.BatchEntryIdsNotDistinct",
        ),
        (
            "delete_message_batch",
            {**TO_QUEUE, "Entries": [{"Id": str(n), "ReceiptHandle": "r"} for n in range(11)]},
            f"{OLD}.TooManyEntriesInBatchRequest",
        ),
        (
            "send_message_batch",
            {**TO_QUEUE, "Entries": [{"Id": n, "MessageBody": "x" * 600_000} for n in "ab"]},
            f"{OLD}.BatchRequestTooLong",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_sqs_refuses_is_refused(
    sqs: Any, action: str, parameters: dict[str, Any], code: str
) -> None:
    create(sqs, "refusals")

    with pytest.raises(ClientError) as refused:
        getattr(sqs, action)(**parameters)

    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_queue_is_not_made_again_with_other_attributes(sqs: Any) -> None:
    url = create(sqs, "once", DelaySeconds="9")

    assert create(sqs, "once", DelaySeconds="9") == url
    with pytest.raises(sqs.exceptions.QueueNameExists):
        create(sqs, "once", DelaySeconds="8")


async def test_missing_queue_is_not_found() -> None:
    async with running_sqs_server() as server:
        aws = AwsEndpoint(region="us-east-1", endpoint_url=server.url)
        async with open_client("sqs", aws, attempts=1) as client:
            with pytest.raises(NotFound):
                await SqsQueue(client, f"{server.url}/123456789012/none").receive(1, 0, 30)


def test_aws_command_sends_receives_and_deletes(url: str) -> None:
    def aws(*words: str) -> Any:
        done = subprocess.run(
            [AWS, "--endpoint-url", url, "--output", "json", "sqs", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout or "{}")

    queue = ("--queue-url", aws("create-queue", "--queue-name", "by-hand")["QueueUrl"])
    aws("send-message", *queue, "--message-body", "hello")
    (message,) = aws("receive-message", *queue, "--attribute-names", "All")["Messages"]
    aws("delete-message", *queue, "--receipt-handle", message["ReceiptHandle"])
    facts = aws("get-queue-attributes", *queue, "--attribute-names", "All")["Attributes"]

    assert (message["Body"], message["Attributes"]["ApproximateReceiveCount"]) == ("hello", "1")
    assert facts["ApproximateNumberOfMessagesNotVisible"] == "0"
