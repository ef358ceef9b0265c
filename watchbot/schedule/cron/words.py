"""Describes a schedule in words, from its fires, so that all dialects read alike."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from watchbot.schedule.cron.calendar import LAST, Calendar, Days
from watchbot.schedule.cron.timetable import Interval, Once, Recurring, Timetable

_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_PLACES = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_UNITS = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
_MOST_TIMES = 12  # the most times of a day that are listed


def in_words(timetable: Timetable, timezone: str) -> str:
    """The schedule in words, as `every day at 07:00 Europe/Berlin`."""
    if isinstance(timetable, Recurring):
        return f"{_recurring(timetable.calendar)} {timezone}"
    if isinstance(timetable, Interval):
        return f"{_every(timetable.every)}, counted from {timetable.anchor:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(timetable, Once):
        moment = timetable.moment.astimezone(timetable.zone)
        return f"once, on {moment:%Y-%m-%d} at {_clock(moment)} {timezone}"
    raise TypeError(timetable)


def _recurring(calendar: Calendar) -> str:
    days = _days(calendar)
    hours, minutes, seconds = (
        _members(each) for each in (calendar.hours, calendar.minutes, calendar.seconds)
    )
    if len(hours) < 24 and len(hours) * len(minutes) * len(seconds) <= _MOST_TIMES:
        times = _listed(_wall(h, m, s) for h in hours for m in minutes for s in seconds)
        return f"{days or 'every day'} at {times}"
    times = _in_hours(_within_the_hour(minutes, seconds), hours)
    return f"{times}, {days}," if days else times


def _within_the_hour(minutes: Sequence[int], seconds: Sequence[int]) -> str:
    if len(seconds) == 1:
        at = f" at second {seconds[0]}" if seconds[0] else ""
        if step := _step(minutes, 60):
            return f"{_times_of(step, 'minute')}{at}"
        if len(minutes) == 1:
            second = f":{seconds[0]:02}" if seconds[0] else ""
            return f"every hour at :{minutes[0]:02}{second}"
        return f"every hour at {_numbers('minute', minutes)}{at}"
    step = _step(seconds, 60)
    told = _times_of(step, "second") if step else f"at {_numbers('second', seconds)}"
    if len(minutes) == 60:
        return told if step else f"every minute {told}"
    return f"every hour in {_numbers('minute', minutes)}, {told}"


def _in_hours(within: str, hours: Sequence[int]) -> str:
    if len(hours) == 24:
        return within
    # Hours of a night may go on past midnight.
    first = next(hour for hour in hours if (hour - 1) % 24 not in hours)
    if all((first + index) % 24 in hours for index in range(len(hours))):
        return f"{within}, from {first:02}:00 to {(first + len(hours) - 1) % 24:02}:59"
    step = _step(hours, 24)
    which = f"every {_ordinal(step)} hour from 00:00 on" if step else _numbers("hour", hours)
    return f"{within.removeprefix('every hour ')} of {which}"


def _days(calendar: Calendar) -> str:
    of_month = _of_month(calendar.days) if calendar.days else ""
    of_week = _of_week(calendar.weekdays) if calendar.weekdays else ""
    if not calendar.either and of_month:
        of_week = of_week.removeprefix("every ")
    joined = " or " if calendar.either else ", if that is "
    told = joined.join(each for each in (of_month, of_week) if each)
    parts = [told] if told else []
    months, weeks = _members(calendar.months), _members(calendar.weeks)
    if len(months) < 12:
        parts.append(f"in {_listed(_runs(months, lambda month: _MONTHS[month - 1]))}")
    if weeks:
        parts.append(f"in {_numbers('week', weeks)} of the year")
    if calendar.years:
        parts.append(f"in {_listed(_runs(calendar.years, str))}")
    return " ".join(parts if told or not parts else ["every day", *parts])


def _of_month(days: Days) -> str:
    told = [*_runs(_members(days.numbers), lambda day: f"the {_ordinal(day)}")]
    told += [f"the {_PLACES[index]} {_WEEKDAYS[weekday]}" for weekday, index in days.nth]
    told += map(_from_end, days.from_end)
    told += [
        "the last day from Monday to Friday"
        if day == LAST
        else f"the day from Monday to Friday nearest to the {_ordinal(day)}"
        for day in days.workdays
    ]
    return f"on {_listed(told)} of the month"


def _of_week(days: Days) -> str:
    told = [*_runs(days.weekdays, lambda day: _WEEKDAYS[day])]
    told += [f"the {_PLACES[nth]} {_WEEKDAYS[weekday]} of the month" for weekday, nth in days.nth]
    return f"{'on' if days.nth else 'every'} {_listed(told)}"


def _from_end(back: int) -> str:
    if back == 0:
        return "the last day"
    return f"the day that is {back} day{'s' if back > 1 else ''} before the last"


def _every(length: timedelta) -> str:
    seconds = length // timedelta(seconds=1)
    unit, size = next((unit, size) for unit, size in _UNITS.items() if seconds % size == 0)
    return _times_of(seconds // size, unit)


def _times_of(count: int, unit: str) -> str:
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def _step(numbers: Sequence[int], size: int) -> int:
    """The step between the numbers, if they go all around the clock from 0; else 0."""
    step = size // len(numbers)
    return step if len(numbers) > 1 and list(numbers) == list(range(0, size, step)) else 0


def _runs(numbers: Sequence[int], name: Callable[[int], str]) -> list[str]:
    """The names of the numbers, with three or more in a row as a range."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    told: list[str] = []
    for run in found:
        if len(run) > 2:
            told.append(f"{name(run[0])} to {name(run[-1])}")
        else:
            told += [name(number) for number in run]
    return told


def _numbers(unit: str, numbers: Sequence[int]) -> str:
    return f"{unit}{'s' if len(numbers) > 1 else ''} {_listed(_runs(numbers, str))}"


def _listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _members(bits: int) -> list[int]:
    return [number for number in range(bits.bit_length()) if bits >> number & 1]


def _wall(hour: int, minute: int, second: int) -> str:
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def _clock(moment: datetime) -> str:
    return _wall(moment.hour, moment.minute, moment.second)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
