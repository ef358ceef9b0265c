"""Makes the event that AWS Lambda passes to a function for SQS messages, key for key."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchbot.settings.whereabouts import queue_name
from watchbot.sqs.message import Attribute, Message
from watchbot.sqs.outgoing import decoded, is_binary

_OPEN, _CLOSE = b'{"Records":[', b"]}"
_AROUND = len(_OPEN) + len(_CLOSE)


class NoRecord(Exception):
    """No event can hold this message; the text says why."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """The queue that an event's messages come from, by its ARN."""

    arn: str

    @classmethod
    def at(cls, url: str, region: str) -> "EventSource":
        """The queue with this URL, in this region."""
        path = re.search(r"/(\d{12})/([^/]+)/?$", url)
        account, name = path.groups() if path else ("0" * 12, queue_name(url))
        return cls(f"arn:{partition(region)}:sqs:{region}:{account}:{name}")

    @property
    def region(self) -> str:
        """The region of the queue; empty where the ARN has none."""
        return _part(self.arn, 3)

    @property
    def account(self) -> str:
        """The number of the account; empty where the ARN has none."""
        return _part(self.arn, 4)


def partition(region: str) -> str:
    """The part of AWS that a region is in, as ARNs name it."""
    known = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
    return next((name for start, name in known.items() if region.startswith(start)), "aws")


def record(message: Message, source: EventSource, most_bytes: int) -> bytes:
    """A message as one of the event's `Records`, in JSON.

    Raises `NoRecord` for a message that JSON cannot hold unchanged, and for one whose event alone
    has more than `most_bytes`.
    """
    try:
        text = json.dumps(_record(message, source), ensure_ascii=False, separators=(",", ":"))
        found = text.encode()
    except UnicodeEncodeError as error:
        raise NoRecord("no event of Lambda can hold its text: a lone surrogate is in it") from error
    if _AROUND + len(found) > most_bytes:
        size = f"{_AROUND + len(found):,} bytes, and --max-event allows {most_bytes:,}"
        raise NoRecord(f"its event would have {size}")
    return found


def event(records: Sequence[bytes]) -> bytes:
    """The event of these records."""
    return _OPEN + b",".join(records) + _CLOSE


def cut(sizes: Sequence[int], most_bytes: int) -> int:
    """How many of these records, from the first on, fit in `most_bytes`; at least 1."""
    total = _AROUND - 1
    for count, size in enumerate(sizes):
        total += size + 1  # and a comma
        if total > most_bytes and count:
            return count
    return len(sizes)


def _record(message: Message, source: EventSource) -> dict[str, Any]:
    attributes = message.attributes
    digest = {"md5OfMessageAttributes": _md5_of_attributes(attributes)} if attributes else {}
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": dict(message.system),
        "messageAttributes": {name: _attribute(item) for name, item in attributes.items()},
        "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        **digest,
        "eventSource": "aws:sqs",
        "eventSourceARN": source.arn,
        "awsRegion": source.region,
    }


def _attribute(item: Attribute) -> dict[str, Any]:
    value = "binaryValue" if is_binary(item) else "stringValue"
    return {
        value: item.value,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": item.type,
    }


def _md5_of_attributes(attributes: Mapping[str, Attribute]) -> str:
    # AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
    digest = hashlib.md5(usedforsecurity=False)
    for name, item in sorted(attributes.items()):
        for part in (name.encode(), item.type.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        value = _value(item)
        kind = b"\2" if is_binary(item) else b"\1"
        digest.update(kind + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def _value(item: Attribute) -> bytes:
    if not is_binary(item):
        return item.value.encode()
    value = decoded(item)
    if value is None:
        raise NoRecord("one of its binary attributes is no base64")
    return value


def _part(arn: str, place: int) -> str:
    parts = arn.split(":")
    return parts[place] if len(parts) > place else ""
