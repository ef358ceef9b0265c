"""Finds the next fire: by a calendar in a time zone, at an interval, or once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from watchbot.schedule.cron.calendar import Calendar
from watchbot.schedule.cron.zone import end_of_gap, first_moment, offset_at, stretches

Dst = Literal["debian", "skip"]
HORIZON_YEARS = 50  # the search ends here

_SECOND = timedelta(seconds=1)
_LATEST = datetime(9998, 1, 1, tzinfo=UTC)  # Python's times end with 9999; zones are hours ahead


class Timetable(Protocol):
    """A sequence of fires."""

    def next(self, after: datetime) -> datetime | None:
        """The first fire after `after`, in UTC; None if there is none within fifty years."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """Fires when the clocks of a zone show a matching time.

    A `floating` schedule fires hourly or more often. It fires at every moment at which the clocks
    show a matching time: twice in an hour that DST repeats, and not at all in an hour that DST
    skips. Other schedules fire once at a repeated time. For a skipped time they fire at the moment
    when the clocks change; with `dst` `skip` they do not fire.
    """

    calendar: Calendar
    zone: ZoneInfo
    dst: Dst
    floating: bool

    def next(self, after: datetime) -> datetime | None:
        start = after.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        end = _horizon(start, self.calendar)
        if self.zone.key == "UTC":
            found = self.calendar.next(start + _SECOND, end)
        elif self.floating:
            found = self._next_floating(start + _SECOND, end)
        else:
            found = self._next_fixed(start, end)
        return found.replace(tzinfo=UTC) if found else None

    def _next_floating(self, start: datetime, end: datetime) -> datetime | None:
        for stretch in stretches(self.zone, start):
            begin = max(start, stretch.start)
            if begin >= end:
                break
            found = self.calendar.next(begin + stretch.offset, stretch.end + stretch.offset)
            if found:
                return found - stretch.offset
        return None

    def _next_fixed(self, start: datetime, end: datetime) -> datetime | None:
        wall = self.calendar.next(start + offset_at(self.zone, start) + _SECOND, end)
        while wall:
            found = self._moment(wall)
            # In the second pass of a repeated hour, its times have fired already.
            if found and found > start:
                return found
            wall = self.calendar.next(wall + _SECOND, end)
        return None

    def _moment(self, wall: datetime) -> datetime | None:
        turned = end_of_gap(self.zone, wall)
        if turned is None:
            return first_moment(self.zone, wall)
        return turned if self.dst == "debian" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Fires at a fixed interval, from `anchor` on."""

    every: timedelta
    anchor: datetime

    def next(self, after: datetime) -> datetime | None:
        if after < self.anchor:
            return self.anchor
        since = ((after - self.anchor) // self.every + 1) * self.every
        return self.anchor + since if since < _LATEST - self.anchor else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Fires once, at a wall time of `zone`."""

    moment: datetime
    zone: ZoneInfo

    def next(self, after: datetime) -> datetime | None:
        return self.moment if self.moment > after else None


def at_wall(zone: ZoneInfo, wall: datetime) -> datetime:
    """The moment at which the clocks of `zone` first show `wall`, or skip it."""
    found = end_of_gap(zone, wall) or first_moment(zone, wall)
    return found.replace(tzinfo=UTC)


def _horizon(start: datetime, calendar: Calendar) -> datetime:
    year = start.year
    if calendar.years:
        year = max(year, next((given for given in calendar.years if given >= year), year))
    return datetime(min(year + HORIZON_YEARS, 9998), 1, 1)
