"""Reads ecs-scheduler's eight fields: second minute hour day_of_week week day month year.

The last fields may be missing, and a missing field matches every value. All fields must match.
Weekdays count from Monday, 0. Only in `day` may an underscore stand for a space: `2nd_wed`,
`last_fri`.
"""

import random
import re

from watchbot.errors import BadSchedule
from watchbot.schedule.cron import fields
from watchbot.schedule.cron.calendar import LAST, Calendar, Days, bits
from watchbot.schedule.cron.fields import CronField

NAMES = ("second", "minute", "hour", "day_of_week", "week", "day", "month", "year")

_WEEKDAY = CronField(
    name="day_of_week", low=0, high=6, names=fields.WEEKDAYS, about="; 0 is Monday, 6 is Sunday"
)
_PLACES = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": LAST}
_NTH = re.compile(r"(1st|2nd|3rd|4th|5th|last)[_ ]+(mon|tue|wed|thu|fri|sat|sun)", re.IGNORECASE)
_RANDOM = {"second": 60, "minute": 60, "hour": 24}


def resolve(text: str) -> str:
    """The schedule with a random number for each `?` of second, minute and hour."""
    words = text.split()
    for index, name in enumerate(NAMES[: len(words)]):
        if words[index] == "?" and name in _RANDOM:
            words[index] = str(random.randrange(_RANDOM[name]))
    return " ".join(words)


def read(text: str) -> Calendar:
    """The calendar of a schedule. Raises `BadSchedule`, which names the field."""
    given = _by_name(text)
    weekdays = _WEEKDAY.read(given["day_of_week"])
    weeks = fields.WEEK.read(given["week"])
    years = fields.YEAR.read(given["year"])
    return Calendar(
        seconds=bits(fields.SECOND.read(given["second"])),
        minutes=bits(fields.MINUTE.read(given["minute"])),
        hours=bits(fields.HOUR.read(given["hour"])),
        months=bits(fields.MONTH.read(given["month"])),
        days=_days(given["day"]),
        weekdays=None if _WEEKDAY.is_all(weekdays) else Days(weekdays=tuple(sorted(weekdays))),
        weeks=0 if fields.WEEK.is_all(weeks) else bits(weeks),
        years=() if fields.YEAR.is_all(years) else tuple(sorted(years)),
    )


def is_floating(text: str) -> bool:
    """Whether the schedule fires hourly or more often, according to its minute and hour."""
    given = _by_name(text)
    return given["minute"].startswith("*") or given["hour"].startswith("*")


def _by_name(text: str) -> dict[str, str]:
    words = text.split()[: len(NAMES)]  # more fields were always left unread
    if not words:
        raise BadSchedule("a schedule cannot be empty")
    return dict(zip(NAMES, words + ["*"] * (len(NAMES) - len(words)), strict=True))


def _days(text: str) -> Days | None:
    numbers: set[int] = set()
    nth: list[tuple[int, int]] = []
    last = False
    for part in text.split(","):
        found = _NTH.fullmatch(part)
        if found:
            nth.append((fields.WEEKDAYS[found[2].lower()], _PLACES[found[1].lower()]))
        elif part.lower() == "last":
            last = True
        else:
            numbers |= fields.DAY.read_part(part)
    if fields.DAY.is_all(numbers):
        return None
    return Days(numbers=bits(numbers), nth=tuple(nth), from_end=(0,) if last else ())
