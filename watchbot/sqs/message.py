"""A message as SQS hands it out, and the SNS envelope that may be around it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A message attribute, the same for SQS and SNS. A binary value is base64 text."""

    type: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One receive of one message.

    `receipt` is what settles this receive, and belongs to the queue it came from. `system` holds
    SQS's own attributes by their SQS names. `asked_at` is when the request that brought it was
    sent, in seconds of `watchbot.lifecycle.now()`: it was hidden then, or later.
    """

    id: str
    receipt: str
    body: str
    asked_at: float
    system: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def receives(self) -> int:
        """How often SQS has handed it out, this time included."""
        return int(self.system.get("ApproximateReceiveCount", "1"))

    @property
    def group(self) -> str | None:
        """Its message group. On a standard queue a group promises no order."""
        return self.system.get("MessageGroupId")

    @property
    def sent_ms(self) -> int | None:
        """When it was sent, in milliseconds since 1970."""
        return _milliseconds(self.system.get("SentTimestamp"))

    @property
    def first_received_ms(self) -> int | None:
        """When it was first handed out, in milliseconds since 1970."""
        return _milliseconds(self.system.get("ApproximateFirstReceiveTimestamp"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the sender meant: the body, out of its SNS envelope if it came in one."""

    subject: str
    body: str
    topic_arn: str | None
    attributes: Mapping[str, Attribute]


def open_envelope(message: Message) -> Content:
    """The content of `message`, taken out of an SNS envelope where there is one.

    An envelope is a JSON object with `Type` "Notification" and text `TopicArn` and `Message`;
    or, as ecs-watchbot had it, any JSON object with text `Subject` and `Message`.
    """
    envelope = _envelope(message.body)
    if envelope is None:
        return Content(subject="", body=message.body, topic_arn=None, attributes=message.attributes)
    topic_arn = envelope.get("TopicArn")
    return Content(
        subject=_text(envelope.get("Subject")),
        body=envelope["Message"],
        topic_arn=topic_arn if isinstance(topic_arn, str) else None,
        attributes={**_envelope_attributes(envelope), **message.attributes},
    )


def timestamp(milliseconds: int) -> str:
    """ISO 8601 in UTC with milliseconds, as JavaScript writes it: 2016-07-28T00:12:37.000Z."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)  # messages are sent, and received, many in a second
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _envelope(body: str) -> dict[str, str] | None:
    if '"Message"' not in body or not body.lstrip().startswith("{"):
        return None  # spares most bodies the parser
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("Message"), str):
        return None
    notification = document.get("Type") == "Notification"
    opened = (notification and isinstance(document.get("TopicArn"), str)) or isinstance(
        document.get("Subject"), str
    )
    return document if opened else None


def _envelope_attributes(envelope: Mapping[str, object]) -> dict[str, Attribute]:
    given = envelope.get("MessageAttributes")
    if not isinstance(given, dict):
        return {}
    return {
        name: Attribute(type=_text(item.get("Type")), value=_text(item.get("Value")))
        for name, item in given.items()
        if isinstance(item, dict)
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _milliseconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
