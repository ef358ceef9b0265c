"""The settings of `watchbot dead-letter`: which queue, and which of its messages."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator

from watchbot.settings.base import TWELVE_HOURS_S, QueueUrl, Settings, option
from watchbot.settings.values import Envelope

UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _duration(value: object) -> object:
    found = re.fullmatch(r"(\d{1,9})([smhdw]?)", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and not found:
        raise ValueError(f"must be a time like 90s, 5m, 2h or 7d, not {value!r}")
    return int(found[1]) * UNITS_S[found[2] or "s"] if found else value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{value!r} is no regular expression: {error}; put a \\ before special characters"
        ) from None
    return value


def _pairs(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"[^=]+=.*", value, re.DOTALL):
            raise ValueError(f"must be NAME=VALUE, not {value!r}")
    return values


Duration = Annotated[int, BeforeValidator(_duration)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Pairs = Annotated[tuple[str, ...], AfterValidator(_pairs)]


class DeadLetterSettings(Settings):
    """Settings of `watchbot dead-letter`."""

    old_flags: ClassVar[Mapping[str, str]] = {"stack_name": "-s", "region": "-r"}
    rivals = ("stack_name", "queue_url", "dead_letter_queue_url")  # a worker has QueueUrl

    stack_name: str | None = option(None, "Find the queues in this CloudFormation stack.", "NAME")
    queue_url: QueueUrl | None = option(None, "Work on the dead letters of this queue.", "URL")
    dead_letter_queue_url: QueueUrl | None = option(
        None, "Read this dead-letter queue; default: the one that the queue names.", "URL"
    )
    log_group: str | None = option(None, "Read the workers' logs in this group.", "NAME")
    match: Pattern | None = option(
        None, "Take only messages with this in their subject or body.", "TEXT|REGEX"
    )
    attribute: Pairs = option((), "Take only messages whose attribute K is V.", "K=V")
    envelope: Envelope = option(
        "open", "Unwrap SNS envelopes as `watchbot listen` does.", "open|keep|legacy"
    )
    older_than: Duration | None = option(
        None, "Take only messages sent longer ago: 90s, 5m, 2h, 7d.", "TIME"
    )
    max: int | None = option(None, "Take at most N messages.", "N", ge=1)
    since: Duration = option(21_600, "Show logs from this long ago until now.", "TIME", ge=1)
    # A poll that does not wait asks only some of SQS's servers: its "empty" proves nothing.
    poll_wait: int = option(
        1, "Wait this long for one more message before the end.", "S", ge=0, le=20
    )
    visibility_timeout: int = option(
        60,
        "Hide messages from others this long, also if we are killed.",
        "S",
        ge=1,
        le=TWELVE_HOURS_S,
    )
