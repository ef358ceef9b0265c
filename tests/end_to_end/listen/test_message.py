"""A message as its worker gets it: in variables, in a file, on standard input."""

import json
from typing import Any

import pytest

from tests.support.cloud import Cloud

PRINT_ALL = """python3 -c '
import hashlib, json, os, sys
body = sys.stdin.buffer.read()
sys.stdin.seek(0)
file = os.environ.get("MessageFile")
print(json.dumps({
    "stdin": hashlib.sha256(body).hexdigest(),
    "again": hashlib.sha256(sys.stdin.buffer.read()).hexdigest(),
    "Message": "Message" in os.environ,
    "same": os.environ.get("Message", "").encode() == body,
    "file": file and hashlib.sha256(open(file, "rb").read()).hexdigest(),
    "mode": file and oct(os.stat(file).st_mode & 0o777),
    "Subject": os.environ["Subject"],
    "leader": os.getsid(0) == os.getpgid(0),
}))'"""


def run_and_look(cloud: Cloud, queue: str) -> dict[str, Any]:
    """The message as one worker saw it."""
    done = cloud.listen(queue, PRINT_ALL)
    assert done.returncode == 0, done.stderr
    said = [line.partition("] {")[2] for line in done.stdout.splitlines() if "] {" in line]
    seen: dict[str, Any] = json.loads("{" + said[0])
    return seen


@pytest.mark.parametrize(
    ("size", "in_variable"), [(131_063, True), (131_064, False), (1_048_576, False)]
)
def test_body_of_any_size_reaches_the_worker(cloud: Cloud, size: int, in_variable: bool) -> None:
    queue = cloud.queue(f"size-{size}", MaximumMessageSize="1048576")
    cloud.send(queue, "x" * size)

    seen = run_and_look(cloud, queue)

    assert seen["stdin"] == seen["again"]
    assert seen["Message"] is in_variable
    assert seen["same"] is in_variable
    assert (seen["file"] is None) is in_variable
    if not in_variable:
        assert seen["file"] == seen["stdin"]
        assert seen["mode"] == "0o600"
    assert seen["leader"]


@pytest.mark.parametrize("code", ["\\u0000", "\\ud800"], ids=["NUL", "lone surrogate"])
def test_message_that_no_variable_can_hold_is_in_a_file(cloud: Cloud, code: str) -> None:
    queue = cloud.queue(f"strange-{code[2:]}")
    cloud.send(queue, '{"Subject": "s", "Message": "a' + code + 'b"}')

    seen = run_and_look(cloud, queue)

    assert not seen["Message"]
    assert seen["file"] == seen["stdin"]


def test_attributes_that_no_variable_can_hold_are_in_a_file(cloud: Cloud) -> None:
    queue = cloud.queue("many-attributes")
    value = "é" * 30_000  # six bytes each, as JSON
    cloud.send(queue, "x", MessageAttributes={"a": {"DataType": "String", "StringValue": value}})
    look = (
        'echo "<${MessageAttributes-none}|$Message>"; stat -c %a "$MessageAttributesFile"; '
        "grep -o 'u00e9' \"$MessageAttributesFile\" | wc -l"
    )

    done = cloud.listen(queue, look)

    said = [line.rpartition("] ")[2] for line in done.stdout.splitlines()]
    assert {"<none|x>", "600", "30000"} <= set(said)


@pytest.mark.parametrize("body", ["short", "x" * 140_000], ids=["short", "long"])
def test_worker_may_have_no_standard_input(cloud: Cloud, body: str) -> None:
    queue = cloud.queue(f"no-stdin-{len(body)}")
    cloud.send(queue, body)
    look = 'readlink /proc/self/fd/0; wc -c < "$MessageFile"; echo "${#Message} long"; exec sh'

    done = cloud.listen(queue, "--no-stdin", look)

    said = [line.rpartition("] ")[2] for line in done.stdout.splitlines()]
    in_variable = len(body) if len(body) < 131_064 else 0
    assert {"/dev/null", str(len(body)), f"{in_variable} long"} <= set(said)
    assert "completed" in done.stdout  # the shell has not run the message as its commands


def test_sns_message_without_subject_is_opened(cloud: Cloud) -> None:
    queue = cloud.queue("no-subject")
    topic = cloud.topic("no-subject-topic", queue)
    cloud.aws("sns", "publish", "--topic-arn", topic, "--message", "plain words")

    done = cloud.listen(queue, 'echo "<$Subject|$Message|$TopicArn>"')

    assert f"<|plain words|{topic}>" in done.stdout


def test_raw_delivery_is_passed_as_it_is(cloud: Cloud) -> None:
    queue = cloud.queue("raw")
    topic = cloud.topic("raw-topic", queue, raw=True)
    cloud.sns.publish(
        TopicArn=topic,
        Subject="lost with raw delivery",
        Message='{"a": 1}',
        MessageAttributes={"colour": {"DataType": "String", "StringValue": "red"}},
    )

    done = cloud.listen(queue, 'echo "<$Subject|$Message|$MessageAttributes>"')

    assert '<|{"a": 1}|{"colour": {"Type": "String", "Value": "red"}}>' in done.stdout


SNS = {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:1:t"}


@pytest.mark.parametrize(
    ("rule", "document", "given"),
    [
        ("open", {"To": "a", "Subject": "s", "Message": "m", "OrderId": 7}, None),
        ("open", {**SNS, "Message": "m"}, "m"),
        ("keep", {**SNS, "Subject": "s", "Message": "m"}, None),
        ("legacy", {**SNS, "Message": "m"}, None),
        ("legacy", {**SNS, "Subject": "s", "Message": "m"}, "m"),
    ],
)
def test_envelope_is_opened_as_asked(
    cloud: Cloud, rule: str, document: dict[str, object], given: str | None
) -> None:
    queue = cloud.queue("envelope")
    body = json.dumps(document)
    cloud.send(queue, body)

    done = cloud.listen(queue, "--envelope", rule, 'printf "%s" "$Message"')

    assert (body if given is None else given) in done.stdout.replace("] m", "m")
