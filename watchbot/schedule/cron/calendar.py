"""Searches for the next matching time, on a wall clock without DST.

A set of numbers is an int whose bits are the members: bit 5 of `hours` means five o'clock. So the
search finds the next member of any set with one shift.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

LAST = -1  # the last of a weekday in the month
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def bits(numbers: Iterable[int]) -> int:
    """The set of these numbers, as bits."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def least(members: int, start: int = 0) -> int:
    """The least member from `start` on, or -1."""
    rest = members >> start
    return start + (rest & -rest).bit_length() - 1 if rest else -1


_WEEKDAYS = [  # _WEEKDAYS[first][weekday]: these days of a month that begins on weekday `first`
    [bits(range(1 + (weekday - first) % 7, 32, 7)) for weekday in range(7)] for first in range(7)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Days of a month from one field: the union of its parts. Monday is 0."""

    numbers: int = 0  # bits 1 to 31
    weekdays: tuple[int, ...] = ()
    nth: tuple[tuple[int, int], ...] = ()  # (weekday, 2): the second; (weekday, LAST)
    from_end: tuple[int, ...] = ()  # 0: the last day; 3: the third day before it
    workdays: tuple[int, ...] = ()  # the workday (Monday to Friday) nearest to a day; LAST

    def of_month(self, first: int, length: int) -> int:
        """The set of days in a month of `length` days that begins on weekday `first`."""
        found = self.numbers
        for weekday in self.weekdays:
            found |= _WEEKDAYS[first][weekday]
        for weekday, nth in self.nth:
            found |= _nth(_WEEKDAYS[first][weekday], nth, length)
        for before in self.from_end:
            found |= 1 << length - before
        for day in self.workdays:
            found |= _workday(length if day == LAST else day, first, length)
        return found & (2 << length) - 2


def _nth(days: int, nth: int, length: int) -> int:
    first = least(days)
    if nth == LAST:
        return 1 << first + (length - first) // 7 * 7
    return 1 << first + 7 * (nth - 1)


def _workday(day: int, first: int, length: int) -> int:
    if day > length:
        return 0
    weekday = (first + day - 1) % 7
    if weekday == 5:  # Saturday: the day before, if it is in this month
        day += -1 if day > 1 else 2
    elif weekday == 6:
        day += 1 if day < length else -2
    return 1 << day


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A set of wall times. A field of days that is None matches every day."""

    seconds: int
    minutes: int
    hours: int
    months: int
    days: Days | None = None
    weekdays: Days | None = None
    either: bool = False  # True: a day must be in one of the two fields; False: in both
    weeks: int = 0  # ISO weeks; 0: all
    years: tuple[int, ...] = ()  # in order; none: all

    def next(self, wall: datetime, until: datetime) -> datetime | None:
        """The first matching time from `wall` on and before `until`, in whole seconds."""
        year, month = wall.year, wall.month
        days = self._days(year, month) >> wall.day << wall.day
        time = (least(self.hours), least(self.minutes), least(self.seconds))
        if days >> wall.day & 1:
            later = self._time_from(wall.hour, wall.minute, wall.second)
            if later:
                time = later
            else:
                days &= days - 1  # no matching time is left on this day
        while not days:
            year, month = self._month_after(year, month)
            if (year, month) > (until.year, until.month):
                return None
            days = self._days(year, month)
        found = datetime(year, month, least(days), *time)
        return found if found < until else None

    def _time_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        if self.hours >> hour & 1:
            if self.minutes >> minute & 1:
                exact = least(self.seconds, second)
                if exact >= 0:
                    return hour, minute, exact
            later = least(self.minutes, minute + 1)
            if later >= 0:
                return hour, later, least(self.seconds)
        later = least(self.hours, hour + 1)
        return (later, least(self.minutes), least(self.seconds)) if later >= 0 else None

    def _month_after(self, year: int, month: int) -> tuple[int, int]:
        later = least(self.months, month + 1)
        if later >= 0 and (not self.years or year in self.years):
            return year, later
        after = year + 1
        if self.years:
            after = next((given for given in self.years if given > year), 9999)
        return after, least(self.months)

    def _days(self, year: int, month: int) -> int:
        if not self.months >> month & 1 or (self.years and year not in self.years):
            return 0
        leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        length = _LENGTHS[month] + leap
        found = (2 << length) - 2
        if self.days or self.weekdays:
            found &= self._named(date(year, month, 1).weekday(), length)
        return self._in_weeks(year, month, found) if self.weeks else found

    def _named(self, first: int, length: int) -> int:
        named = [field.of_month(first, length) for field in (self.days, self.weekdays) if field]
        if len(named) == 1:
            return named[0]
        return named[0] | named[1] if self.either else named[0] & named[1]

    def _in_weeks(self, year: int, month: int, days: int) -> int:
        return bits(
            day
            for day in range(1, 32)
            if days >> day & 1 and self.weeks >> date(year, month, day).isocalendar().week & 1
        )
