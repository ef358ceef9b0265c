"""A message as SQS hands it out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

LAST_MS = 253_402_300_799_999  # the end of year 9999, the last that a date can have


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
    sent, in seconds of `watchbot.world.now()`: it was hidden then, or later.
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


def timestamp(milliseconds: int) -> str:
    """ISO 8601 in UTC with milliseconds, as JavaScript writes it: 2016-07-28T00:12:37.000Z."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)  # messages are sent, and received, many in a second
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _milliseconds(text: str | None) -> int | None:
    known = text and text.isascii() and text.isdigit() and len(text) < 20
    return min(int(text or 0), LAST_MS) if known else None
