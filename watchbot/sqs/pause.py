"""Reads and writes the tags with which `watchbot pause` tells the watchers of a queue to wait.

Only the first tag counts: who sets it by hand pauses the queue, too. The two others say who did it
and when. Needs `sqs:ListQueueTags`, `sqs:TagQueue` and `sqs:UntagQueue`. AWS allows 30 calls of
these a second to an account, of all its queues:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PAUSED = "watchbot:paused"
PAUSED_BY = "watchbot:paused-by"
PAUSED_AT = "watchbot:paused-at"
MOST_CHARACTERS = 256  # of a tag's value
SUBSTITUTE = "_"
_SIGNS = frozenset("_.:/=+-@")  # beside letters, digits and spaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A queue's pause: why, by whom, and since when; each text may be empty.

    `by` is the caller's ARN, `at` a time in ISO 8601.
    """

    reason: str = ""
    by: str = ""
    at: str = ""

    def __str__(self) -> str:
        by = f"by {self.by}" if self.by else ""
        since = f"since {self.at}" if self.at else ""
        return ", ".join(filter(None, (self.reason or "no reason given", by, since)))


class Tagged(Protocol):
    """A queue with tags. Every call raises `AwsError` when it fails."""

    async def tags(self) -> Mapping[str, str]:
        """All tags of the queue."""
        ...

    async def tag(self, tags: Mapping[str, str]) -> None:
        """Sets these tags; others stay."""
        ...

    async def untag(self, names: Sequence[str]) -> None:
        """Removes these tags; one that the queue does not have is no error."""
        ...


async def read(queue: Tagged) -> Pause | None:
    """The pause of the queue, with texts of one line; None if the queue is not paused."""
    return pause_in(await queue.tags())


async def write(queue: Tagged, pause: Pause) -> Pause:
    """Pauses the queue, in place of an earlier pause; returns the pause as the tags hold it."""
    texts = {PAUSED: pause.reason, PAUSED_BY: pause.by, PAUSED_AT: pause.at}
    tags = {name: fitting(text) for name, text in texts.items()}
    await queue.tag(tags)
    return Pause(reason=tags[PAUSED], by=tags[PAUSED_BY], at=tags[PAUSED_AT])


async def clear(queue: Tagged) -> None:
    """Ends the pause of the queue, if there is one."""
    await queue.untag((PAUSED, PAUSED_BY, PAUSED_AT))


def pause_in(tags: Mapping[str, str]) -> Pause | None:
    """The pause in a queue's tags, or None."""
    if PAUSED not in tags:
        return None
    reason, by, at = (fitting(tags.get(name, "")) for name in (PAUSED, PAUSED_BY, PAUSED_AT))
    return Pause(reason=reason, by=by, at=at)


def fitting(text: str) -> str:
    """The text as a tag's value: one line, at most 256 characters, `_` for what no tag can hold."""
    line = " ".join(text.split())
    return "".join(map(_character, line))[:MOST_CHARACTERS].rstrip()


def _character(character: str) -> str:
    allowed = character in _SIGNS or unicodedata.category(character)[0] in "LNZ"
    return character if allowed else SUBSTITUTE
