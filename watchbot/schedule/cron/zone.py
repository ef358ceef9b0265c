"""A time zone as the stretches of time between two turns of its clocks."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from watchbot.errors import BadSchedule

_STEP = timedelta(hours=12)  # no zone turns its clocks twice in such a time
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which the clocks run on: from `start` to `end`, naive UTC, `offset` ahead."""

    start: datetime
    end: datetime
    offset: timedelta


def find_zone(name: str) -> ZoneInfo:
    """The zone of this name, as `Europe/Berlin`. Raises `BadSchedule`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # some names are directories
        raise BadSchedule(
            f"there is no time zone {name!r}; write one like Europe/Berlin"
        ) from error


def offset_at(zone: ZoneInfo, moment: datetime) -> timedelta:
    """How far the clocks of `zone` are ahead of UTC at a moment of naive UTC."""
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
    """The first second at which the offset of `after` holds."""
    offset = offset_at(zone, before)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if offset_at(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def end_of_gap(zone: ZoneInfo, wall: datetime) -> datetime | None:
    """When, in naive UTC, the clocks went past `wall` without showing it; None if they show it."""
    # In a gap, fold=1 counts as if the clocks were turned already: that is before they are. With
    # fold=0 it is after. Between the two is the turn, even where a zone leaves out a whole day.
    before = wall - _offset(zone, wall, fold=1)
    if before + offset_at(zone, before) == wall:
        return None
    return _turn(zone, before, wall - _offset(zone, wall, fold=0))


def first_moment(zone: ZoneInfo, wall: datetime) -> datetime:
    """When, in naive UTC, the clocks show `wall` for the first time."""
    return wall - _offset(zone, wall, fold=0)


def _offset(zone: ZoneInfo, wall: datetime, fold: int) -> timedelta:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()
