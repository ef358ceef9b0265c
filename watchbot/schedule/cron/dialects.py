"""Reads the three dialects of schedules, and finds out the dialect of a text.

- `aps8`, of ecs-scheduler: eight fields from second to year, all of which must match.
- `cron`: five fields, or six with seconds in front; `@daily` and other names.
- `eventbridge`: `cron(...)`, `rate(5 minutes)`, `at(2026-12-24T18:00:00)`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from watchbot.errors import BadSchedule
from watchbot.schedule.cron import aps8, crontab
from watchbot.schedule.cron.calendar import Calendar
from watchbot.schedule.cron.timetable import (
    HORIZON_YEARS,
    Dst,
    Interval,
    Once,
    Recurring,
    Timetable,
    at_wall,
)
from watchbot.schedule.cron.zone import find_zone

Dialect = Literal["aps8", "cron", "eventbridge"]
MAX_CHARACTERS = 1000

_CALL = re.compile(r"(cron|rate|at)\s*\((.*)\)", re.IGNORECASE | re.DOTALL)
_RATE = re.compile(r"([0-9]{1,9})\s+(minute|hour|day)(s?)", re.IGNORECASE)
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Rules for times: the zone, the rule for DST, and the time from which `rate` counts."""

    timezone: str = "UTC"
    dst: Dst = "debian"
    anchor: datetime = _ORIGIN


def parse(text: str, dialect: Dialect | None = None, clock: Clock | None = None) -> Timetable:
    """The timetable of a schedule; without `dialect`, `dialect_of` chooses the dialect.

    Raises `BadSchedule` for a text that is empty, cannot be read, or never fires.
    """
    clock = clock or Clock()
    text = text.strip()
    if not text:
        raise BadSchedule("a schedule cannot be empty")
    if len(text) > MAX_CHARACTERS:
        raise BadSchedule(f"a schedule has {MAX_CHARACTERS} characters at most")
    find_zone(clock.timezone)
    reads_as = dialect or dialect_of(text)
    try:
        return _READERS[reads_as](text, clock)
    except BadSchedule as error:
        hint = _hint(text, reads_as, given=dialect is not None)
        raise BadSchedule(f"{error}{hint}") from error


def dialect_of(text: str, otherwise: Dialect = "aps8") -> Dialect:
    """`eventbridge` for `name(...)`, `cron` for `@name`, and `otherwise` for any other text."""
    text = text.strip()
    if _CALL.fullmatch(text):
        return "eventbridge"
    return "cron" if text.startswith("@") else otherwise


def _hint(text: str, dialect: Dialect, *, given: bool) -> str:
    """A hint how to ask for another dialect, if that dialect can read the text."""
    meant = dialect_of(text, dialect) if given else "cron"
    if meant == dialect:
        return ""
    try:
        _READERS[meant](text, Clock())
    except BadSchedule:
        return ""
    return f'; it was read as {dialect}, and would be valid with "dialect": "{meant}"'


def _aps8(text: str, clock: Clock) -> Timetable:
    return _recurring(aps8.read(text), clock, floating=aps8.is_floating(text))


def _cron(text: str, clock: Clock) -> Timetable:
    text = crontab.expand(text)
    return _recurring(crontab.read(text), clock, floating=crontab.is_floating(text))


def _eventbridge(text: str, clock: Clock) -> Timetable:
    call = _CALL.fullmatch(text)
    if call is None:
        raise BadSchedule(f"{text[:40]!r}: write cron(...), rate(...) or at(...)")
    name, inside = call[1].lower(), call[2].strip()
    return _CALLS[name](inside, clock)


def _cron_call(inside: str, clock: Clock) -> Timetable:
    calendar = crontab.read_eventbridge(inside)
    return _recurring(calendar, clock, floating=crontab.is_floating(f"0 {inside}"))


def _rate_call(inside: str, clock: Clock) -> Timetable:
    rate = _RATE.fullmatch(inside)
    if rate is None or int(rate[1]) == 0:
        raise BadSchedule(f"rate({inside[:40]}): write a whole number and minutes, hours or days")
    unit, several = rate[2].lower(), int(rate[1]) > 1
    if several != bool(rate[3]):  # EventBridge requires `1 minute` and `2 minutes`
        right = f"{unit}s" if several else unit
        raise BadSchedule(f"rate({inside[:40]}): write rate({int(rate[1])} {right})")
    every = int(rate[1]) * _UNITS[unit]
    if every > timedelta(days=366 * HORIZON_YEARS):
        raise BadSchedule(f"rate({inside[:40]}): that is more than {HORIZON_YEARS} years")
    return Interval(every=every, anchor=clock.anchor.astimezone(UTC))


def _at_call(inside: str, clock: Clock) -> Timetable:
    try:
        if not _AT.fullmatch(inside):  # EventBridge takes only this format
            raise ValueError("no date and time")
        wall = datetime.fromisoformat(inside)
    except ValueError as error:
        raise BadSchedule(f"at({inside[:40]}): write at(2026-12-24T18:00:00)") from error
    if not 1970 <= wall.year <= 2199:
        raise BadSchedule(f"at({inside[:40]}): the year must be from 1970 to 2199")
    zone = find_zone(clock.timezone)
    return Once(moment=at_wall(zone, wall), zone=zone)


def _recurring(calendar: Calendar, clock: Clock, *, floating: bool) -> Timetable:
    zone = find_zone(clock.timezone)
    first = calendar.years[0] if calendar.years else 2000
    begin = datetime(first, 1, 1)
    if calendar.next(begin, begin.replace(year=first + HORIZON_YEARS)) is None:
        raise BadSchedule("no day matches all fields; it would never fire")
    return Recurring(calendar=calendar, zone=zone, dst=clock.dst, floating=floating)


_READERS: Mapping[Dialect, Callable[[str, Clock], Timetable]] = {
    "aps8": _aps8,
    "cron": _cron,
    "eventbridge": _eventbridge,
}
_CALLS = {"cron": _cron_call, "rate": _rate_call, "at": _at_call}
_UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
