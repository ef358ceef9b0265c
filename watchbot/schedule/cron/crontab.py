"""Reads the fields of cron: minute hour day month weekday, optionally with seconds in front.

If both day fields name days, a day matches when it is in either field. EventBridge adds a year at
the end, counts weekdays from 1, and requires `?` in one of the two day fields.
"""

import re
from dataclasses import dataclass, replace

from watchbot.errors import BadSchedule
from watchbot.schedule.cron import fields
from watchbot.schedule.cron.calendar import LAST, Calendar, Days, bits
from watchbot.schedule.cron.fields import CronField

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@weekdays": "0 0 * * 1-5",
    "@weekends": "0 0 * * 0,6",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@minutely": "* * * * *",
    "@secondly": "* * * * * *",
}


@dataclass(frozen=True, slots=True)
class Weekdays:
    """A numbering of weekdays: Sunday is 0 or 7 in cron, and 1 in EventBridge."""

    field: CronField
    sunday: int

    def day(self, number: int) -> int:
        """The weekday of a number, counted from Monday, 0."""
        return (number - self.sunday - 1) % 7


_NAMES = "sun mon tue wed thu fri sat".split()
_CRON_NAMES = {name: day for day, name in enumerate(_NAMES)}
_EVENTBRIDGE_NAMES = {name: day for day, name in enumerate(_NAMES, 1)}
_CRON = Weekdays(
    CronField(name="weekday", low=0, high=7, names=_CRON_NAMES, ends={"sun": 7}), sunday=0
)
_EVENTBRIDGE = Weekdays(
    CronField(name="weekday", low=1, high=7, names=_EVENTBRIDGE_NAMES, wraps=True), sunday=1
)
_FROM_END = re.compile(r"L(?:-([0-9]{1,2}))?", re.IGNORECASE)
_WORKDAY = re.compile(r"(L|[0-9]{1,2})W", re.IGNORECASE)
_LAST_WEEKDAY = re.compile(r"(\w+)L", re.IGNORECASE | re.ASCII)
_NTH = re.compile(r"(\w+)#([1-5])", re.ASCII)


def expand(text: str) -> str:
    """Expands a text to six fields. Raises `BadSchedule` for another count or an unknown @name."""
    if text.startswith("@"):
        if text.lower() not in MACROS:
            raise BadSchedule(f"{text[:40]!r}: there are {', '.join(MACROS)}")
        text = MACROS[text.lower()]
    words = text.split()
    if len(words) not in (5, 6):
        raise BadSchedule(f"cron has five fields, or six with seconds; this has {len(words)}")
    return " ".join(words if len(words) == 6 else ["0", *words])


def read(text: str) -> Calendar:
    """The calendar of six fields. Raises `BadSchedule`, which names the field."""
    second, *rest = text.split()
    return _calendar(second, rest, _CRON)


def read_eventbridge(inside: str) -> Calendar:
    """The calendar of the fields inside `cron(...)`. Raises `BadSchedule`."""
    words = inside.split()
    if len(words) != 6:
        raise BadSchedule(f"cron(...) has six fields, minute to year; this has {len(words)}")
    if (words[2] == "?") == (words[4] == "?"):
        raise BadSchedule("cron(...): exactly one of day and weekday must be ?")
    if "#" in words[4] and "," in words[4]:
        raise BadSchedule(f"weekday {words[4][:40]!r}: # must stand alone in EventBridge")
    if words[4].upper() == "L":
        words[4] = "7"
    return _calendar("0", words, _EVENTBRIDGE)


def is_floating(text: str) -> bool:
    """Whether the schedule fires hourly or more often, according to its minute and hour."""
    _, minute, hour, *_ = text.split()
    return minute.startswith("*") or hour.startswith("*")


def _calendar(second: str, words: list[str], numbering: Weekdays) -> Calendar:
    minute, hour, day, month, weekday, *year = words
    wraps = numbering.field.wraps

    def read(known: CronField, text: str) -> int:
        return bits(replace(known, wraps=wraps).read(text))

    days, weekdays = _days(day, replace(fields.DAY, wraps=wraps)), _weekdays(weekday, numbering)
    years = fields.YEAR.read(*year) if year else set()
    return Calendar(
        seconds=read(fields.SECOND, second),
        minutes=read(fields.MINUTE, minute),
        hours=read(fields.HOUR, hour),
        months=read(fields.MONTH, month),
        days=days,
        weekdays=weekdays,
        either=days is not None and weekdays is not None,
        years=() if not years or fields.YEAR.is_all(years) else tuple(sorted(years)),
    )


def _days(text: str, known: CronField) -> Days | None:
    if text == "?":
        return None
    numbers: set[int] = set()
    from_end: list[int] = []
    workdays: list[int] = []
    for part in text.split(","):
        if found := _FROM_END.fullmatch(part):
            from_end.append(_before_last(found[1] or "0"))
        elif found := _WORKDAY.fullmatch(part):
            workdays.append(LAST if found[1] in "lL" else fields.DAY.number(found[1]))
        else:
            numbers |= known.read_part(part)
    if known.is_all(numbers):
        return None
    return Days(numbers=bits(numbers), from_end=tuple(from_end), workdays=tuple(workdays))


def _before_last(text: str) -> int:
    days = int(text)
    if days > 27:
        fields.DAY.refuse(f"L-{text}", "February has no such day; at most L-27")
    return days


def _weekdays(text: str, numbering: Weekdays) -> Days | None:
    if text == "?":
        return None
    days: set[int] = set()
    nth: list[tuple[int, int]] = []
    for part in text.split(","):
        if found := _LAST_WEEKDAY.fullmatch(part):
            nth.append((numbering.day(numbering.field.number(found[1])), LAST))
        elif found := _NTH.fullmatch(part):
            nth.append((numbering.day(numbering.field.number(found[1])), int(found[2])))
        else:
            days |= {numbering.day(number) for number in numbering.field.read_part(part)}
    return None if len(days) == 7 else Days(weekdays=tuple(sorted(days)), nth=tuple(nth))
