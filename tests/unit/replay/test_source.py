"""The forms in which a file may hold the message to replay."""

import json
from pathlib import Path
from typing import Any

import pytest

from watchbot.deadletter.letter import as_json, everything
from watchbot.errors import UsageError
from watchbot.replay.source import from_file
from watchbot.sqs.evidence import Evidence, attested
from watchbot.sqs.message import Attribute, Message

ENTRY: dict[str, Any] = {
    "MessageId": "m1",
    "Body": "b\n",
    "Attributes": {"ApproximateReceiveCount": "3", "MessageGroupId": "g"},
    "MessageAttributes": {
        "k": {"DataType": "String", "StringValue": "v"},
        "raw": {"DataType": "Binary", "BinaryValue": "AAE="},
    },
}
ATTRIBUTES = {
    "k": Attribute(type="String", value="v"),
    "raw": Attribute(type="Binary", value="AAE="),
}
RECORD = {
    "messageId": "m1",
    "body": "b\n",
    "attributes": ENTRY["Attributes"],
    "messageAttributes": {
        "k": {"dataType": "String", "stringValue": "v", "stringListValues": []},
        "raw": {"dataType": "Binary", "binaryValue": "AAE="},
    },
    "eventSource": "aws:sqs",
}


def read(tmp_path: Path, text: str) -> Message:
    path = tmp_path / "message"
    path.write_text(text)
    return from_file(str(path))


@pytest.mark.parametrize(
    "held",
    [
        pytest.param({"Messages": [ENTRY]}, id="answer of aws"),
        pytest.param(ENTRY, id="message of aws"),
        pytest.param({"Records": [RECORD]}, id="event of Lambda"),
    ],
)
def test_message_is_as_it_came(held: Any, tmp_path: Path) -> None:
    message = read(tmp_path, json.dumps(held, indent=2))

    assert (message.id, message.body, message.receives, message.group) == ("m1", "b\n", 3, "g")
    assert message.attributes == ATTRIBUTES


def test_exported_letter_is_as_its_last_run_has_seen_it(tmp_path: Path) -> None:
    evidence = Evidence(
        reason="exit code 1", fingerprint="f", duration_s=1, message_id="m1", sent_ms=1, receives=7
    )
    letter = Message(
        id="new",
        receipt="r",
        body="b\n",
        asked_at=0,
        system={"ApproximateReceiveCount": "1"},
        attributes=attested(ATTRIBUTES, evidence),
    )

    message = read(tmp_path, as_json(everything(letter)) + "\n")

    assert (message.id, message.body, message.receives) == ("m1", "b\n", 7)
    assert message.attributes == ATTRIBUTES


@pytest.mark.parametrize(
    "text",
    ["a text", '{"Type": "Notification"}', "[1]", "7", "", '{"Records": [{"eventSource": "s3"}]}'],
)
def test_anything_else_is_a_body(text: str, tmp_path: Path) -> None:
    message = read(tmp_path, text + "\n")

    assert (message.body, message.receives) == (text, 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"Messages": []}', "holds no messages"),
        (json.dumps({"Messages": [ENTRY, ENTRY]}), "holds 2 messages, and one is replayed"),
        (f"{json.dumps(ENTRY)}\n{json.dumps(ENTRY)}\n", "holds 2 messages"),
        ('{"MessageId": "", "Body": "b"}', "it has no MessageId"),
        ('{"MessageId": "m", "Body": 7}', "it has no Body"),
        (
            '{"MessageId": "m", "Body": "b", "MessageAttributes": {"k": 7}}',
            "attribute k has no type",
        ),
        (
            '{"MessageId": "m", "Body": "", "MessageAttributes": '
            '{"k": {"DataType": "Binary", "BinaryValue": "%"}}}',
            "attribute k is not binary",
        ),
        ('{"Messages": [7]}', "it is no object"),
    ],
)
def test_what_is_no_message_is_named(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=problem):
        read(tmp_path, text)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="is no text in UTF-8"):
        from_file(str(binary))
    with pytest.raises(UsageError, match="Is a directory"):
        from_file(str(tmp_path))
