"""Reads a field of a schedule (numbers, names, ranges, steps, lists) into a set of numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from watchbot.errors import BadSchedule

MONTHS = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
WEEKDAYS = {name: day for day, name in enumerate("mon tue wed thu fri sat sun".split())}

_RANGE = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[0-9]{1,4}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CronField:
    """The name of a field, and the numbers and names that it takes.

    `ends` has names that mean another number at the end of a range, as in `fri-sun`. If `wraps`, a
    range may go down and continue from the lowest number.
    """

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    wraps: bool = False
    about: str = ""  # added to the error for a number out of range

    def read(self, text: str) -> set[int]:
        """The numbers that `text` names. Raises `BadSchedule`, which names the field."""
        found: set[int] = set()
        for part in text.split(","):
            found |= self.read_part(part)
        return found

    def read_part(self, part: str) -> set[int]:
        """Reads one item of a list."""
        match = _RANGE.fullmatch(part)
        if match is None:
            self.refuse(part)
        first, last, step = self.low, self.high, 1
        if match["first"] != "*":
            first = self.number(match["first"])
            last = self.high if match["step"] else first
        elif match["last"]:
            self.refuse(part)
        if match["last"]:
            last = self._end(match["last"], first)
        if match["step"]:
            step = self._step(int(match["step"]), part)
        if first > last and not self.wraps:
            self.refuse(part, "a range goes upwards; write two, with a comma")
        size = self.high - self.low + 1
        last += size if first > last else 0
        return {(number - self.low) % size + self.low for number in range(first, last + 1, step)}

    def _end(self, word: str, first: int) -> int:
        last = self.number(word)
        return self.ends.get(word.lower(), last) if last < first else last

    def number(self, word: str) -> int:
        """The number of a word. Raises `BadSchedule`."""
        found = self.names.get(word.lower())
        if found is None:
            if not _NUMBER.fullmatch(word):
                self.refuse(word)
            found = int(word)
        if not self.low <= found <= self.high:
            self.refuse(word, f"must be from {self.low} to {self.high}{self.about}")
        return found

    def is_all(self, numbers: set[int]) -> bool:
        """Whether `numbers` has every number of the field."""
        return len(numbers) == self.high - self.low + 1

    def refuse(self, part: str, problem: str = "cannot be read") -> NoReturn:
        """Raises `BadSchedule`, which names the field and `part`."""
        raise BadSchedule(f"{self.name} {part[:40]!r}: {problem}")

    def _step(self, step: int, part: str) -> int:
        if step == 0:
            self.refuse(part, "a step of 0 never moves on")
        if step > self.high - self.low:
            self.refuse(part, f"the step is longer than the field, {self.low} to {self.high}")
        return step


SECOND = CronField(name="second", low=0, high=59)
MINUTE = CronField(name="minute", low=0, high=59)
HOUR = CronField(name="hour", low=0, high=23)
DAY = CronField(name="day", low=1, high=31)
WEEK = CronField(name="week", low=1, high=53)
MONTH = CronField(name="month", low=1, high=12, names=MONTHS)
YEAR = CronField(name="year", low=1970, high=2199)
