"""Converts times to text and back: ISO 8601, UTC, milliseconds. Texts sort in order of time."""

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """A time as text for stores and APIs: `2026-11-21T03:47:10.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_time(text: str) -> datetime:
    """The time of a text in ISO 8601. Raises `ValueError`."""
    return datetime.fromisoformat(text)


def seconds_until(moment: datetime | None, now: datetime, most: float) -> float:
    """The seconds from `now` to `moment`, from 0 to `most`; `most` without a `moment`."""
    seconds = (moment - now).total_seconds() if moment else most
    return min(max(seconds, 0), most)
