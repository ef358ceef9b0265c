"""Describes a message as SQS delivers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

LAST_MS = 253_402_300_799_999  # the end of year 9999, Python's last date


class Origin(NamedTuple):
    """The queue of a message: the name by which logs and metrics know it, and its URL."""

    name: str = ""
    url: str = ""


NOWHERE = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A message attribute of SQS or SNS. A binary value is base64 text."""

    type: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One delivery of one message.

    `receipt` is the receipt handle, with which its queue settles this delivery. `system` holds
    SQS's own attributes by their SQS names. `asked_at` is the time of the receive request, in
    seconds of `watchbot.world.now()`. SQS hid the message at that time or later. `replay_of` is the
    id of the first message that this one was replayed from, if it was.
    """

    id: str
    receipt: str
    body: str
    asked_at: float
    system: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    origin: Origin = NOWHERE
    replay_of: str | None = None

    @property
    def queue(self) -> str:
        """The name of the message's queue in logs and metrics."""
        return self.origin.name

    @property
    def first_id(self) -> str:
        """The id that stays the same however often a message is replayed."""
        return self.replay_of or self.id

    @property
    def receives(self) -> int:
        """The number of deliveries of this message, this one included."""
        return int(self.system.get("ApproximateReceiveCount", "1"))

    @property
    def group(self) -> str | None:
        """The message group, or None. On a standard queue a group promises no order."""
        return self.system.get("MessageGroupId")

    @property
    def sent_ms(self) -> int | None:
        """The time when the message was sent, in milliseconds since 1970."""
        return _milliseconds(self.system.get("SentTimestamp"))

    @property
    def first_received_ms(self) -> int | None:
        """The time of the message's first delivery, in milliseconds since 1970."""
        return _milliseconds(self.system.get("ApproximateFirstReceiveTimestamp"))


def about(message: Message) -> dict[str, object]:
    """The facts by which a line of the log names a message."""
    return {"message_id": message.id, "queue": message.queue}


def timestamp(milliseconds: int) -> str:
    """A time in ISO 8601, UTC, with milliseconds, as in JavaScript: 2016-07-28T00:12:37.000Z."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)  # many messages have one second in common
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _milliseconds(text: str | None) -> int | None:
    known = text and text.isascii() and text.isdigit() and len(text) < 20
    return min(int(text or 0), LAST_MS) if known else None
