"""Splits a time zone into stretches between two changes of its clocks."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from watchbot.errors import BadSchedule

_STEP = timedelta(hours=12)  # no zone changes its clocks twice within this time
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time without a change of the clocks: from `start` to `end` (naive UTC), with one offset."""

    start: datetime
    end: datetime
    offset: timedelta


def find_zone(name: str) -> ZoneInfo:
    """The zone with this name, as `Europe/Berlin`. Raises `BadSchedule`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: it is a directory
        raise BadSchedule(
            f"there is no time zone {name!r}; write one like Europe/Berlin"
        ) from error


def offset_at(zone: ZoneInfo, moment: datetime) -> timedelta:
    """The UTC offset of `zone` at a moment (naive UTC)."""
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return offset or timedelta()


def stretches(zone: ZoneInfo, start: datetime) -> Iterator[Stretch]:
    """Yields the stretches in order, from the one that contains `start` (naive UTC).

    The end of a year also ends a stretch.
    """
    for year in range(start.year, 9998):
        yield from (stretch for stretch in _of_year(zone, year) if stretch.end > start)


@functools.lru_cache(maxsize=4096)
def _of_year(zone: ZoneInfo, year: int) -> tuple[Stretch, ...]:
    begin, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    found: list[Stretch] = []
    start, offset, probe = begin, offset_at(zone, begin), begin
    while probe < end:
        probe = min(probe + _STEP, end)
        if offset_at(zone, probe) != offset:
            turn = _turn(zone, probe - _STEP, probe)
            found.append(Stretch(start, turn, offset))
            start, offset = turn, offset_at(zone, turn)
    if start < end:
        found.append(Stretch(start, end, offset))
    return tuple(found)


def _turn(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second with the offset of `after`."""
    offset = offset_at(zone, before)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if offset_at(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def end_of_gap(zone: ZoneInfo, wall: datetime) -> datetime | None:
    """The moment (naive UTC) at which the clocks skip `wall`; None if they show `wall`."""
    # In a gap, fold=1 uses the offset after the change, which gives a moment before the change;
    # fold=0 gives a moment after it. The change is in between, even if a zone skips a whole day.
    before = wall - _offset(zone, wall, fold=1)
    if before + offset_at(zone, before) == wall:
        return None
    return _turn(zone, before, wall - _offset(zone, wall, fold=0))


def first_moment(zone: ZoneInfo, wall: datetime) -> datetime:
    """The moment (naive UTC) at which the clocks show `wall` for the first time."""
    return wall - _offset(zone, wall, fold=0)


def _offset(zone: ZoneInfo, wall: datetime, fold: int) -> timedelta:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()
