"""When something fires next: by a calendar in a time zone, at an interval, or once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from watchbot.schedule.cron.calendar import Calendar
from watchbot.schedule.cron.zone import end_of_gap, first_moment, offset_at, stretches

Dst = Literal["debian", "skip"]
HORIZON_YEARS = 50  # nothing is searched for further ahead

_SECOND = timedelta(seconds=1)
_LATEST = datetime(9998, 1, 1, tzinfo=UTC)  # times end two years later; zones are hours ahead


class Timetable(Protocol):
    """Moments, one after the other."""

    def next(self, after: datetime) -> datetime | None:
        """The first moment after this one, in UTC; None: there is none within fifty years."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """Fires when the clocks of a zone show a time that matches.

    `floating` are those that fire hourly or oftener: at every real moment at which the clocks
    show a time that matches, twice where an hour comes twice, not at all where it is left out. All
    others fire once where a time comes twice. Where a time is left out, they fire at the moment at
    which the clocks are turned; or not at all, if `dst` is `skip`.
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
            # An hour that comes twice has fired its times already when it comes again.
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
    """Fires every so often, counted from `anchor`, from which on it does so."""

    every: timedelta
    anchor: datetime

    def next(self, after: datetime) -> datetime | None:
        if after < self.anchor:
            return self.anchor
        since = ((after - self.anchor) // self.every + 1) * self.every
        return self.anchor + since if since < _LATEST - self.anchor else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Fires at one moment, which was written as a time of `zone`."""

    moment: datetime
    zone: ZoneInfo

    def next(self, after: datetime) -> datetime | None:
        return self.moment if self.moment > after else None


def at_wall(zone: ZoneInfo, wall: datetime) -> datetime:
    """The moment at which the clocks of `zone` show `wall` first, or are turned past it."""
    found = end_of_gap(zone, wall) or first_moment(zone, wall)
    return found.replace(tzinfo=UTC)


def _horizon(start: datetime, calendar: Calendar) -> datetime:
    year = start.year
    if calendar.years:
        year = max(year, next((given for given in calendar.years if given >= year), year))
    return datetime(min(year + HORIZON_YEARS, 9998), 1, 1)
