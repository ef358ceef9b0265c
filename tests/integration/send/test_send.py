"""`watchbot send` to real protocols, with boto3 as the reader."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import Cloud, running_cloud
from watchbot.sqs.outgoing import MESSAGE_BYTES


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


def sent(cloud: Cloud, *words: str) -> list[str]:
    """The ids that `watchbot send` printed; it went well, and said nothing else."""
    done = cloud.watchbot("send", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_queue_gets_body_and_attributes(cloud: Cloud) -> None:
    queue = cloud.queue("plain")

    ids = sent(
        cloud,
        *("--queue-url", queue, "--group-id", "tenant"),
        *("--attribute", "color=red", "--attribute", "n:Number=3", "--attribute", "b:Binary=AP8="),
        "grüße\n",
    )

    [message] = cloud.take_all(queue)
    assert [message["MessageId"]] == ids
    assert message["Body"] == "grüße\n"
    assert {name: item["DataType"] for name, item in message["MessageAttributes"].items()} == {
        "color": "String",
        "n": "Number",
        "b": "Binary",
    }
    assert message["MessageAttributes"]["b"]["BinaryValue"] == base64.b64decode("AP8=")


def test_queue_gets_a_subject_in_an_envelope(cloud: Cloud) -> None:
    queue = cloud.queue("subject")

    sent(cloud, "--queue-url", queue, "--subject", "Über", "hello")

    [message] = cloud.take_all(queue)
    assert json.loads(message["Body"]) == {"Subject": "Über", "Message": "hello"}


def test_topic_with_raw_delivery(cloud: Cloud) -> None:
    queue = cloud.queue("raw")
    topic = cloud.topic("raw", queue, raw=True)

    sent(cloud, "--topic-arn", topic, "--attribute", "color=red", "hello")

    [message] = cloud.take_all(queue)
    assert message["Body"] == "hello"
    assert message["MessageAttributes"]["color"]["StringValue"] == "red"


def test_topic_with_envelopes(cloud: Cloud) -> None:
    queue = cloud.queue("enveloped")
    topic = cloud.topic("enveloped", queue)

    [message_id] = sent(cloud, "--topic-arn", topic, "--subject", "subject", "hello")

    [envelope] = cloud.notices(queue)
    assert (envelope["Subject"], envelope["Message"]) == ("subject", "hello")
    assert envelope["MessageId"] == message_id


def test_fifo_queue_keeps_order_and_alike_lines(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("order.fifo")
    bodies = [str(number // 2) for number in range(50)]
    (tmp_path / "lines").write_text("\n".join(bodies))

    ids = sent(cloud, "--queue-url", queue, "--group-id", "g", "--file", str(tmp_path / "lines"))

    messages = cloud.take_all(queue)
    assert [message["Body"] for message in messages] == bodies
    assert [message["MessageId"] for message in messages] == ids
    assert {message["Attributes"]["MessageGroupId"] for message in messages} == {"g"}


def test_fifo_topic(cloud: Cloud) -> None:
    queue = cloud.queue("topic.fifo")
    topic = cloud.topic("topic.fifo", queue, raw=True)

    sent(cloud, "--topic-arn", topic, "--group-id", "g", "--dedup-id", "once", "hello")

    [message] = cloud.take_all(queue)
    assert message["Attributes"]["MessageGroupId"] == "g"
    assert message["Attributes"]["MessageDeduplicationId"] == "once"


def test_thousand_lines(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("thousand")
    bodies = [f"message {number}" for number in range(1000)]
    (tmp_path / "lines").write_text("\n".join(bodies) + "\n")

    ids = sent(cloud, "--queue-url", queue, "--file", str(tmp_path / "lines"))

    assert len(set(ids)) == 1000
    assert cloud.depth(queue) == (1000, 0)


def test_large_lines_and_one_that_is_too_large(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("large")
    bodies = ["a" * MESSAGE_BYTES, "b" * (MESSAGE_BYTES + 1), *("c" * 200_000,) * 12]
    (tmp_path / "lines").write_text("\n".join(bodies))

    done = cloud.watchbot("send", "--queue-url", queue, "--file", str(tmp_path / "lines"))

    assert done.returncode == 1
    assert len(done.stdout.split()) == 13
    assert "watchbot: line 2: MessageTooLarge" in done.stderr
    sizes = Counter(len(message["Body"]) for message in cloud.take_all(queue))
    assert sizes == {MESSAGE_BYTES: 1, 200_000: 12}


def test_message_larger_than_the_topic_takes_is_named(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("small")
    topic = cloud.topic("small", queue, raw=True)
    (tmp_path / "lines").write_text("\n".join(["one", "x" * 262_145, "three"]))

    done = cloud.watchbot("send", "--topic-arn", topic, "--file", str(tmp_path / "lines"))

    assert done.returncode == 1
    assert "watchbot: line 2: " in done.stderr
    assert sorted(message["Body"] for message in cloud.take_all(queue)) == ["one", "three"]


def test_queue_that_is_not_there(cloud: Cloud) -> None:
    url = cloud.queue("gone")
    cloud.sqs.delete_queue(QueueUrl=url)

    done = cloud.watchbot("send", "--queue-url", url, "hello")

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "SQS send_message_batch failed" in done.stderr
