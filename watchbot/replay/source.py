"""Reads the message to replay from a file, in each form in which people have one."""

import base64
import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from watchbot.errors import UsageError
from watchbot.sqs.answers import UnreadableMessage, message_of
from watchbot.sqs.message import Message
from watchbot.world import now


def is_file(source: str) -> bool:
    """Whether `from_file` takes this."""
    return source == "-" or Path(source).exists()


def from_file(path: str) -> Message:
    """The message in a file; `-` is standard input.

    It holds the answer of `aws sqs receive-message`, one message of that, a line of
    `watchbot dead-letter export`, Lambda's event with one record, or else a body; the last newline
    of a body does not count. Raises `UsageError` for a file that cannot be read, for several
    messages, and for one that lacks something.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no text in UTF-8, which a message's body is") from None
    try:
        return _message(text)
    except UnreadableMessage as problem:
        raise UsageError(f"{path}: holds a message that cannot be read: {problem}") from None
    except _Many as many:
        raise UsageError(f"{path}: holds {many} messages, and one is replayed; leave one") from None


class _Many(Exception):
    """More than one message; or none."""


def _message(text: str) -> Message:
    found = list(_entries(text))
    if not found:
        return message_of(_sqs_entry(text.removesuffix("\n")), now())
    if len(found) != 1:
        raise _Many(len(found))
    return message_of(found[0], now())


def _entries(text: str) -> Iterator[Mapping[str, Any]]:
    """The messages of a text as SQS's entries; none for a text that is a body."""
    values: list[Any] = []
    with suppress(ValueError, RecursionError):
        values = [json.loads(text)]
    if not values:
        with suppress(ValueError, RecursionError):
            values = [json.loads(line) for line in text.splitlines() if line.strip()]
    for value in values:
        if isinstance(value, dict):
            yield from _entries_of(value)


def _entries_of(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if isinstance(value.get("Messages"), list):
        if not value["Messages"]:
            raise _Many("no")
        for each in value["Messages"]:
            yield _completed(each)
    elif {"MessageId", "Body"} <= value.keys():
        yield _completed(value)
    elif _are_lambdas(value.get("Records")):
        for each in value["Records"]:
            yield _of_lambda(each)
    elif {"original_id", "body", "system", "attributes"} <= value.keys():
        yield _of_letter(value)


def _are_lambdas(records: Any) -> bool:
    return isinstance(records, list) and all(
        isinstance(each, dict) and each.get("eventSource") == "aws:sqs" for each in records
    )


def _completed(raw: Any) -> Mapping[str, Any]:
    """An entry as `aws` prints it: the receipt may be left out, and binary values are base64."""
    if not isinstance(raw, dict):
        raise UnreadableMessage("it is no object")
    return {"ReceiptHandle": "none", **raw, "MessageAttributes": _attributes(raw)}


def _attributes(raw: Mapping[str, Any]) -> dict[str, Any]:
    given = raw.get("MessageAttributes") or {}
    changed = {}
    for name, item in given.items():
        binary = item.get("BinaryValue") if isinstance(item, dict) else None
        try:
            changed[name] = (
                {**item, "BinaryValue": base64.b64decode(binary, validate=True)} if binary else item
            )
        except (TypeError, ValueError):
            raise UnreadableMessage(f"its attribute {name} is not binary") from None
    return changed


def _of_lambda(record: Mapping[str, Any]) -> Mapping[str, Any]:
    names = {"stringValue": "StringValue", "binaryValue": "BinaryValue", "dataType": "DataType"}
    attributes = {
        attribute: {names[key]: value for key, value in item.items() if key in names}
        for attribute, item in (record.get("messageAttributes") or {}).items()
    }
    return _completed(
        {
            "MessageId": record.get("messageId"),
            "Body": record.get("body"),
            "Attributes": record.get("attributes") or {},
            "MessageAttributes": attributes,
        }
    )


def _of_letter(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line of an export: the id and the count are those that its last run has seen."""
    attributes = {
        name: {
            "DataType": item.get("type"),
            "BinaryValue" if _is_binary(item) else "StringValue": item.get("value"),
        }
        for name, item in facts["attributes"].items()
    }
    return _completed(
        {
            "MessageId": facts["original_id"],
            "Body": facts["body"],
            "Attributes": {
                **facts["system"],
                "ApproximateReceiveCount": str(facts.get("receives", 1)),
            },
            "MessageAttributes": attributes,
        }
    )


def _is_binary(item: Mapping[str, Any]) -> bool:
    return str(item.get("type")).startswith("Binary")


def _sqs_entry(body: str) -> Mapping[str, Any]:
    """A body alone, as if it had been sent just now."""
    sent = str(int(time.time() * 1000))
    return {
        "MessageId": str(uuid.uuid4()),
        "ReceiptHandle": "none",
        "Body": body,
        "Attributes": {
            "SentTimestamp": sent,
            "ApproximateFirstReceiveTimestamp": sent,
            "ApproximateReceiveCount": "1",
        },
    }
