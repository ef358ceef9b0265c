"""Describes a message to send: its content, its size, and why SQS would refuse it."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from watchbot.sqs.message import Attribute, Message

MAX_ATTRIBUTES = 10  # SQS refuses more, and a topic drops messages that it cannot deliver
MESSAGE_BYTES = 1_048_576  # the largest message of SQS, and of a topic with a raised limit

_NAME = re.compile(r"(?!aws\.|amazon\.)(?!.*\.\.)(?!\.)[\w.-]{1,256}(?<!\.)", re.ASCII | re.I)
_TYPE = re.compile(r"(String|Number|Binary)(\.[\w.-]+)?", re.ASCII)
_LONGEST_TYPE = 256  # characters
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# SQS refuses these characters, and a topic passes its messages to SQS.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to send.

    `group_id` and `dedup_id` are SQS's message group and deduplication id; FIFO queues require
    them. `delay_s` is for standard queues alone; None leaves it to the queue. `trace_header` is
    X-Ray's trace header; topics ignore it.
    """

    body: str
    subject: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    group_id: str | None = None
    dedup_id: str | None = None
    delay_s: int | None = None
    trace_header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """The reason why a message was not sent. `passing`: a retry may succeed."""

    code: str
    text: str
    passing: bool = False


def again(message: Message, *, dedup_id: str | None) -> Outgoing:
    """A received message as one to send again, with its body, attributes, group and trace.

    `dedup_id` is for FIFO queues only. SQS drops a message whose deduplication id was used within
    the last five minutes.
    """
    return Outgoing(
        body=message.body,
        attributes=message.attributes,
        group_id=message.group,
        dedup_id=dedup_id,
        trace_header=message.system.get("AWSTraceHeader"),
    )


def clean(text: str) -> str:
    """The text with "?" for each character that SQS refuses."""
    return _FORBIDDEN.sub("?", text)


def size_bytes(message: Outgoing) -> int:
    """The size that SQS and SNS count: body, subject, and attributes' names, types and values."""
    attributes = sum(
        _bytes(name) + _bytes(attribute.type) + _value_bytes(attribute)
        for name, attribute in message.attributes.items()
    )
    return _bytes(message.body) + _bytes(message.subject or "") + attributes


def flaw(message: Outgoing) -> Unsent | None:
    """The reason why SQS would refuse this message, as far as it shows before sending; or None."""
    if not message.body:
        return Unsent(code="EmptyMessage", text="SQS takes no empty message")
    if size_bytes(message) > MESSAGE_BYTES:
        return Unsent(code="MessageTooLarge", text=f"it has more than {MESSAGE_BYTES:,} bytes")
    texts = [message.body, message.subject or ""]
    for name, attribute in message.attributes.items():
        texts += [name, attribute.type, attribute.value]
        if is_binary(attribute) and decoded(attribute) is None:
            return Unsent(code="InvalidAttribute", text=f"{name!r} does not hold base64")
    for text in texts:
        if found := _FORBIDDEN.search(text):
            return Unsent(code="InvalidMessageContents", text=_about(found))
    return None


def attribute_flaw(name: str, attribute: Attribute) -> str | None:
    """The reason why SQS would refuse this attribute, or None."""
    if not _NAME.fullmatch(name):
        return "a name has letters, digits, '_', '-' and single '.', and does not begin with AWS."
    if not _TYPE.fullmatch(attribute.type) or len(attribute.type) > _LONGEST_TYPE:
        return "an attribute's type must be String, Number or Binary, with a .LABEL if you like"
    if attribute.type.startswith("Number") and not _NUMBER.fullmatch(attribute.value):
        return "the value is not a number"
    if is_binary(attribute) and decoded(attribute) is None:
        return "the value is not base64"
    return None


def is_binary(attribute: Attribute) -> bool:
    """Whether the attribute's value is base64 of bytes."""
    return attribute.type.partition(".")[0] == "Binary"


def decoded(attribute: Attribute) -> bytes | None:
    """The bytes of a binary attribute; None when its value is not base64."""
    try:
        return base64.b64decode(attribute.value, validate=True)
    except ValueError:
        return None


def _about(found: re.Match[str]) -> str:
    code, number = ord(found[0]), found.start() + 1
    if 0xDC80 <= code <= 0xDCFF:  # Python's "surrogateescape": a byte that could not be decoded
        return f"its character {number}, the byte 0x{code - 0xDC00:02X}, is not UTF-8"
    return f"its character {number}, U+{code:04X}, is one that SQS refuses"


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _value_bytes(attribute: Attribute) -> int:
    if is_binary(attribute):
        return len(decoded(attribute) or b"")
    return _bytes(attribute.value)
