"""Reads a redrive policy: when SQS itself moves a message to a dead-letter queue, and to which."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_RECEIVES = 10  # SQS's default if the policy has no number


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """A redrive policy. SQS moves a message at the next receive after `max_receives` receives."""

    target_arn: str
    max_receives: int

    @property
    def target_name(self) -> str:
        """The name of the dead-letter queue."""
        return self.target_arn.rpartition(":")[2]

    def target_url(self, queue_url: str) -> str:
        """The URL of the dead-letter queue, computed from the URL of the queue."""
        # SQS requires one account and region for both queues, so only the name differs.
        return f"{queue_url.rstrip('/').rpartition('/')[0]}/{self.target_name}"


def redrive(queue: Mapping[str, str]) -> Redrive | None:
    """The redrive policy in the attributes of a queue, or None."""
    policy: dict[str, Any] = json.loads(queue.get("RedrivePolicy") or "{}")
    target, most = policy.get("deadLetterTargetArn"), str(policy.get("maxReceiveCount"))
    if not isinstance(target, str):
        return None
    known = most.isascii() and most.isdigit()
    return Redrive(target_arn=target, max_receives=int(most) if known else DEFAULT_RECEIVES)
