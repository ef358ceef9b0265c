"""Decides when messages are delivered, and who holds them back until then: SQS or a scheduler."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchbot.errors import SettingError
from watchbot.settings.base import describe
from watchbot.settings.deadletter import UNITS_S
from watchbot.settings.send import MOST_DELAY_S, SendSettings
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.outgoing import Outgoing

MOST_KEPT_ATTRIBUTES = 7  # SQS takes ten, and the scheduler adds three of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """A `watchbot schedule` that keeps messages: its URL, and the token that it wants."""

    url: str
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The time of delivery: at once, after `delay`, or at `at`. A `scheduler` keeps it until `at`.

    Without a scheduler, SQS itself holds the message back.
    """

    delay: int | None = None  # seconds
    at: datetime | None = None
    scheduler: Keeper | None = None

    def delay_s(self, now: datetime) -> int | None:
        """The delay of a message that is sent to SQS now; None leaves it to the queue."""
        if self.at is None or self.scheduler:
            return self.delay
        left_s = math.ceil((self.at - now).total_seconds())
        return min(max(left_s, 0), MOST_DELAY_S)


def planned_time(settings: SendSettings, target: str, now: datetime) -> When:
    """The time that the settings ask for. Raises `SettingError`."""
    cannot = _cannot_hold_back(target)
    if settings.delay is not None:
        if settings.at is not None:
            names = f"{describe('delay')}, {describe('at')}"
            raise SettingError(names, "both are set; leave one of them out")
        if cannot:
            raise SettingError(
                describe("delay"), f"{cannot}; name the time, {describe('at')}, for a scheduler"
            )
        return When(delay=settings.delay)
    if settings.at is None:
        return When()
    at = _moment(settings.at, now)
    if at <= now:
        raise SettingError(describe("at"), f"{settings.at!r} is past; leave it out to send now")
    if not cannot and at - now <= timedelta(seconds=MOST_DELAY_S):
        return When(at=at)
    if settings.scheduler_url is None:
        reason = cannot or "SQS holds a message back for at most 15 minutes"
        raise SettingError(
            describe("at"),
            f"{reason}; name the `watchbot schedule` that sends it then: "
            f"{describe('scheduler_url')}",
        )
    return When(at=at, scheduler=Keeper(url=settings.scheduler_url, token=settings.token))


def check_kept(message: Outgoing) -> None:
    """Raises `SettingError` for what a scheduler cannot keep of a message."""
    if message.dedup_id:
        raise SettingError(
            describe("dedup_id"), "counts for five minutes, and the scheduler sends it later"
        )
    if len(message.attributes) > MOST_KEPT_ATTRIBUTES:
        raise SettingError(
            describe("attribute"),
            f"a message that a scheduler keeps has at most {MOST_KEPT_ATTRIBUTES}, "
            f"not {len(message.attributes)}",
        )


def _cannot_hold_back(target: str) -> str | None:
    """The reason why no message to this target can be delayed by AWS, or None."""
    if target.startswith("arn:"):
        return "a topic cannot hold a message back"
    if is_fifo(target):
        return "a FIFO queue cannot hold a single message back, only all of them"
    return None


def _moment(text: str, now: datetime) -> datetime:
    try:
        if span := re.fullmatch(r"(\d{1,9})([smhdw])", text.strip()):
            return now + timedelta(seconds=int(span[1]) * UNITS_S[span[2]])
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise SettingError(
            describe("at"),
            f"must be a time like 2026-12-24T18:00:00Z, or a span like 90s, 5m, 2h or 7d, "
            f"not {text!r}",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
