"""Bodies that lie in S3, from their sender to a worker and away."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud

CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer"
MB = 1_000_000


@pytest.fixture
def s3(cloud: Cloud) -> Iterator[Any]:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="bodies")
    yield s3
    for entry in s3.list_objects_v2(Bucket="bodies").get("Contents", ()):
        s3.delete_object(Bucket="bodies", Key=entry["Key"])
    s3.delete_bucket(Bucket="bodies")


def keys(s3: Any) -> list[str]:
    found = s3.list_objects_v2(Bucket="bodies").get("Contents", ())
    return [entry["Key"] for entry in found]


def stored(s3: Any, key: str, data: bytes) -> str:
    """A pointer to a new object."""
    s3.put_object(Bucket="bodies", Key=key, Body=data)
    return json.dumps([CLASS, {"s3BucketName": "bodies", "s3Key": key}])


def listen(cloud: Cloud, queue: str, *words: str) -> str:
    done = cloud.listen(queue, "--payload-buckets", "bodies", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_large_message_goes_all_the_way_and_its_object_with_it(cloud: Cloud, s3: Any) -> None:
    queue = cloud.queue("pointed")
    topic = cloud.topic("pointed-topic", queue)
    body = "é" * MB

    sent = cloud.watchbot(
        *("send", "--topic-arn", topic, "--subject", "s", "--payload-bucket", "bodies", "-"),
        stdin=body,
    )
    assert sent.returncode == 0, sent.stderr
    assert len(keys(s3)) == 1
    script = 'wc -c; wc -c < "$MessageFile"; echo "${Message-unset} $Subject"'
    said = listen(cloud, queue, script)
    assert said.count(f"] {2 * MB}\n") == 2
    assert "] unset s\n" in said
    assert "completed" in said
    assert keys(s3) == []


def test_each_large_line_of_a_file_is_stored_whole(cloud: Cloud, s3: Any, tmp_path: Path) -> None:
    queue = cloud.queue("lines-stored")
    file = tmp_path / "lines"
    file.write_bytes(b"small\n" + b"x" * 2 * MB + b"\r\n" + b"\xff" * 3 * MB + b"\n")

    sent = cloud.watchbot(
        *("send", "--queue-url", queue, "--payload-bucket", "bodies", "--file", str(file))
    )
    said = listen(cloud, queue, "wc -c")

    assert sent.returncode == 0, sent.stderr
    assert sorted(re.findall(r"\] (\d+)\n", said)) == ["2000000", "3000000", "5"]


def test_subject_is_with_a_stored_body_of_a_queue(cloud: Cloud, s3: Any) -> None:
    queue = cloud.queue("subject-stored")

    cloud.watchbot(
        *("send", "--queue-url", queue, "--payload-bucket", "bodies", "--subject", "of it", "-"),
        stdin="x" * 2 * MB,
    )
    said = listen(cloud, queue, 'echo "$Subject: $(wc -c)"')

    assert "] of it: 2000000\n" in said


def test_small_message_is_sent_as_it_is(cloud: Cloud, s3: Any) -> None:
    queue = cloud.queue("small")

    cloud.watchbot("send", "--queue-url", queue, "--payload-bucket", "bodies", "small")

    assert [message["Body"] for message in cloud.take_all(queue)] == ["small"]
    assert keys(s3) == []


def test_300_mb_are_never_in_the_watchers_memory(cloud: Cloud, s3: Any) -> None:
    queue = cloud.queue("huge")
    cloud.send(queue, stored(s3, "huge", bytes(300 * MB)))

    said = listen(cloud, queue, "wc -c; grep VmHWM /proc/$PPID/status")

    assert f"] {300 * MB}\n" in said
    peak = re.search(r"VmHWM:\s+(\d+) kB", said)
    assert peak
    assert int(peak[1]) * 1024 < 160 * MB


def test_line_names_the_file_of_its_body(cloud: Cloud, s3: Any, tmp_path: Path) -> None:
    queue = cloud.queue("lines")
    cloud.send(queue, stored(s3, "of-a-line", b"from S3"))
    script = (
        "while IFS= read -r m; do file=${m#*'\"MessageFile\":\"'}; cat ${file%%'\"'*}; "
        "case $m in *'\"Message\":'*) echo twice ;; esac; echo 0 >&3; done"
    )

    said = listen(cloud, queue, "--warm", "lines", script)

    assert "] from S3\n" in said
    assert "twice" not in said
    assert keys(s3) == []


def test_object_outlives_failures_and_a_dead_letter(cloud: Cloud, s3: Any) -> None:
    letters = cloud.queue("bodies-dead")
    policy = json.dumps({"deadLetterTargetArn": cloud.arn(letters), "maxReceiveCount": 9})
    queue = cloud.queue("bodies-lost", RedrivePolicy=policy)
    cloud.send(queue, stored(s3, "kept", b"data"))

    listen(cloud, queue, "--max-attempts", "1", "exit 1")
    assert keys(s3) == ["kept"]
    cloud.watchbot("dead-letter", "replay", "--queue-url", queue)
    said = listen(cloud, queue, 'test "$(cat)" = data')

    assert "completed" in said
    assert keys(s3) == []


def test_object_is_kept_where_that_is_asked_for(cloud: Cloud, s3: Any) -> None:
    queue = cloud.queue("kept")
    cloud.send(queue, stored(s3, "kept", b"data"))

    listen(cloud, queue, "--keep-payloads", "true")

    assert keys(s3) == ["kept"]


def test_what_cannot_be_fetched_is_named_and_nothing_is_lost(cloud: Cloud, s3: Any) -> None:
    queue = cloud.queue("unfetched")
    other = json.dumps([CLASS, {"s3BucketName": "secrets", "s3Key": "k"}])
    gone = json.dumps([CLASS, {"s3BucketName": "bodies", "s3Key": "gone"}])
    ids = {
        cloud.send(queue, other): "failed",
        cloud.send(queue, gone): "rejected",
        cloud.send(queue, stored(s3, "big", bytes(2_000))): "failed",
        cloud.send(queue, "plain"): "completed",
    }

    said = listen(cloud, queue, "--max-payload", "1000", "--breaker", "0", "echo ran; exit 0")

    ends = dict(re.findall(r"\[watcher\] \[(\S+)\] (?:\[failure\] )?(\w+) ending=", said))
    assert ends == ids
    assert said.count("] ran\n") == 1
    assert 'ending="payload: s3://secrets/k: --payload-buckets does not name this bucket"' in said
    assert 'ending="payload: s3://bodies/gone: there is no such object"' in said
    assert 'it has 2,000 bytes, and --max-payload allows 1,000"' in said
    assert keys(s3) == ["big"]


def test_order_of_a_group_holds_when_a_body_cannot_be_fetched(cloud: Cloud, s3: Any) -> None:
    queue = cloud.queue("ordered.fifo")
    other = json.dumps([CLASS, {"s3BucketName": "secrets", "s3Key": "k"}])
    for number, body in enumerate((stored(s3, "first", b"1"), other, stored(s3, "last", b"3"))):
        cloud.send(queue, body, MessageGroupId="g", MessageDeduplicationId=str(number))

    said = listen(cloud, queue, "--batch-size", "10", "cat > /dev/null")

    assert re.findall(r"\] (?:\[failure\] )?(completed|failed|released) ending", said) == [
        *("completed", "failed", "released")
    ]
    assert keys(s3) == ["last"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("listen", "--queue-url", "http://x/1/q", "--payload-buckets", "A_b", "true"), "'A_b'"),
        (("send", "--queue-url", "http://x/1/q", "--payload-bucket", "A_b", "x"), "'A_b'"),
        (("listen", "--queue-url", "http://x/1/q", "--max-payload", "0", "true"), "at least 1"),
    ],
)
def test_bad_names_are_told(words: tuple[str, ...], problem: str, cloud: Cloud) -> None:
    done = cloud.watchbot(*words)

    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_bucket_that_does_not_take_a_body_is_told(cloud: Cloud) -> None:
    queue = cloud.queue("unstored")

    done = cloud.watchbot(
        *("send", "--queue-url", queue, "--payload-bucket", "none-such", "-"), stdin="x" * 2 * MB
    )

    assert done.returncode == 1
    assert "NoSuchBucket" in done.stderr
    assert cloud.depth(queue) == (0, 0)
