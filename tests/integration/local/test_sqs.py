"""What SQS promises, kept by the embedded AWS, as boto3 sees it."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud
from tests.support.local_aws import bodies, delete, receive, show


def test_fifo_queue_keeps_the_order_of_a_group_and_one_receiver_at_a_time(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    for body in ("a1", "a2", "b1", "a3"):
        cloud.send(queue_url, body, MessageGroupId=body[0])

    [first] = receive(cloud, queue_url, count=1)
    while_out = receive(cloud, queue_url)
    show(cloud, queue_url, first)
    after = receive(cloud, queue_url)

    assert bodies([first]) == ["a1"]
    assert bodies(while_out) == ["b1"]
    assert bodies(after) == ["a1", "a2", "a3"]
    numbers = [message["Attributes"]["SequenceNumber"] for message in after]
    assert numbers == sorted(set(numbers))


def test_group_stays_closed_until_all_that_was_taken_of_it_is_settled(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    for body in ("a1", "a2", "a3"):
        cloud.send(queue_url, body, MessageGroupId="a")

    first, second = receive(cloud, queue_url, count=2)
    show(cloud, queue_url, first)
    while_second_is_out = receive(cloud, queue_url)
    delete(cloud, queue_url, second)

    assert while_second_is_out == []
    assert bodies(receive(cloud, queue_url)) == ["a1", "a3"]


def test_repetition_is_known_after_the_first_was_deleted(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo")
    of_one = {"MessageGroupId": "a", "MessageDeduplicationId": "1"}

    first = cloud.send(queue_url, "x", **of_one)
    cloud.take_all(queue_url)

    assert cloud.send(queue_url, "x", **of_one) == first
    assert receive(cloud, queue_url) == []


@pytest.mark.parametrize("kind", ["", ".fifo"], ids=["standard", "fifo"])
def test_message_received_too_often_goes_to_the_dead_letter_queue(cloud: Cloud, kind: str) -> None:
    dead_url = cloud.queue(f"dead{kind}")
    redrive = {"deadLetterTargetArn": cloud.arn(dead_url), "maxReceiveCount": "2"}
    queue_url = cloud.queue(f"q{kind}", RedrivePolicy=json.dumps(redrive))
    fifo = {"MessageGroupId": "a", "MessageDeduplicationId": "1"} if kind else {}
    message_id = cloud.send(queue_url, "bad", **fifo)

    received = [receive(cloud, queue_url, VisibilityTimeout=0) for _ in range(3)]

    assert [bodies(messages) for messages in received] == [["bad"], ["bad"], []]
    [dead] = receive(cloud, dead_url)
    assert (dead["Body"], dead["MessageId"]) == ("bad", message_id)
    assert cloud.depth(queue_url) == (0, 0)


def test_receive_that_hides_nothing_gives_a_message_once(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "x")

    assert bodies(receive(cloud, queue_url, VisibilityTimeout=0)) == ["x"]


def test_depth_is_told_by_state(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send_many(queue_url, ["1", "2", "3"])
    cloud.send(queue_url, "later", DelaySeconds=900)

    receive(cloud, queue_url, count=1)

    assert cloud.depth(queue_url) == (2, 1)
    assert cloud.attributes(queue_url)["ApproximateNumberOfMessagesDelayed"] == "1"


def test_purged_queue_is_empty(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send_many(queue_url, ["1", "2"])
    receive(cloud, queue_url, count=1)

    cloud.sqs.purge_queue(QueueUrl=queue_url)

    assert cloud.depth(queue_url) == (0, 0)
    assert receive(cloud, queue_url) == []


# Receipts


def test_message_that_is_not_out_cannot_be_hidden(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "x")
    [message] = receive(cloud, queue_url)
    show(cloud, queue_url, message)

    with pytest.raises(ClientError, match="MessageNotInflight"):
        show(cloud, queue_url, message, in_s=30)


@pytest.mark.parametrize("settled", ["deleted", "received again"])
def test_receipt_is_dead_once_its_message_is(cloud: Cloud, settled: str) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "x")
    [message] = receive(cloud, queue_url, VisibilityTimeout=0)
    if settled == "deleted":
        delete(cloud, queue_url, message)
    else:
        receive(cloud, queue_url)

    with pytest.raises(ClientError, match="does not exist or is not available"):
        show(cloud, queue_url, message, in_s=30)
    delete(cloud, queue_url, message)
    assert cloud.depth(queue_url) == (0, 0 if settled == "deleted" else 1)


def test_fifo_queue_refuses_to_delete_with_a_receipt_that_ran_out(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    cloud.send(queue_url, "x", MessageGroupId="a")
    [message] = receive(cloud, queue_url, VisibilityTimeout=0)

    with pytest.raises(ClientError, match="The receipt handle has expired"):
        delete(cloud, queue_url, message)


def test_batch_is_refused_entry_by_entry(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send_many(queue_url, ["1", "2"])
    out, waiting = (message["ReceiptHandle"] for message in receive(cloud, queue_url))
    cloud.sqs.change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=waiting, VisibilityTimeout=0
    )
    receipts = {"good": out, "waiting": waiting, "bad": "no receipt"}

    hidden = cloud.sqs.change_message_visibility_batch(
        QueueUrl=queue_url,
        Entries=[
            {"Id": name, "ReceiptHandle": receipt, "VisibilityTimeout": 99_999 * (name == "long")}
            for name, receipt in {**receipts, "long": out}.items()
        ],
    )
    deleted = cloud.sqs.delete_message_batch(
        QueueUrl=queue_url,
        Entries=[{"Id": name, "ReceiptHandle": receipt} for name, receipt in receipts.items()],
    )

    assert [entry["Id"] for entry in hidden["Successful"]] == ["good"]
    assert {entry["Id"]: entry["Code"] for entry in hidden["Failed"]} == {
        "waiting": "AWS.SimpleQueueService.MessageNotInflight",
        "bad": "ReceiptHandleIsInvalid",
        "long": "InvalidParameterValue",
    }
    assert [entry["Id"] for entry in deleted["Successful"]] == ["good", "waiting"]
    assert [entry["Id"] for entry in deleted["Failed"]] == ["bad"]
