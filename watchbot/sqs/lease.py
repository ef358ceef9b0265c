"""Describes a lease: our hold on one message, from its receive to its settling."""

import asyncio
from collections.abc import Callable

from watchbot.sqs.denials import Settling
from watchbot.sqs.message import Message
from watchbot.sqs.queue import MAX_VISIBILITY_S

LIMIT_MARGIN_S = 5  # SQS refuses to hide a message up to the last second of its twelve hours


class Lease:
    """A hold on one message. `lost` is true once SQS may have delivered it to another consumer.

    During a long poll SQS may hide the message early or late. So the lease of a message that came
    late is `doubtful`: it is over if this process stood still, or else nearly new.

    While a lease is `ending`, only the answer to the settling call says whether the lease is lost.
    If SQS settled the message but its answer got lost, a renewal would find the message gone.
    `number` counts the leases of one consumer.
    """

    __slots__ = (
        "_now",
        "busy",
        "doubtful",
        "ending",
        "expires_at",
        "limit_at",
        "lost",
        "message",
        "number",
        "renew_at",
        "unanswered",
    )

    def __init__(
        self, message: Message, visibility_s: float, number: int, now: Callable[[], float]
    ) -> None:
        self.message, self.number, self._now = message, number, now
        self.limit_at = message.asked_at + MAX_VISIBILITY_S - LIMIT_MARGIN_S
        self.lost = False
        self.ending: Settling | None = None
        self.unanswered = False  # SQS may have settled the message without an answer
        self.busy = asyncio.Lock()  # held through each visibility call or delete of this message
        self.extended(message.asked_at, visibility_s)
        self.doubtful = now() >= self.renew_at
        if self.doubtful:
            self.expires_at = now() + visibility_s  # the deadline of `Leases.confirm`

    def extended(self, asked_at: float, visibility_s: float) -> None:
        """Notes that a call sent at `asked_at` hid the message for `visibility_s`."""
        self.expires_at = asked_at + visibility_s
        self.renew_at: float = asked_at + visibility_s / 3
        self.doubtful = False

    @property
    def left_s(self) -> float:
        """Seconds until SQS ends the lease for good, twelve hours after the receive."""
        return max(0.0, self.limit_at - self._now())
