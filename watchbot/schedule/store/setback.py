"""Notices when a clock was set back, by comparing it with the last stored time of any replica."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=10)  # clocks of several servers differ by some seconds
WRITTEN_EVERY = timedelta(seconds=30)
WAKES_WITHIN = timedelta(minutes=1)  # for runs that were put off to a time that is far ahead now

Anew = Callable[[datetime], Awaitable[timedelta | None]]


def set_back(seen: datetime | None, now: datetime) -> timedelta | None:
    """The set-back of a clock since the time `seen`; None if there is none."""
    return seen - now if seen and seen - now > TOLERANCE else None


class ClockWatch:
    """Watches a clock: compares it often with its last value, and rarely with the stored time.

    `anew` compares a time with the stored time, and then stores it. If the clock was set back,
    `anew` plans again and returns the set-back.
    """

    def __init__(self, anew: Anew) -> None:
        self._anew = anew
        self._seen: datetime | None = None
        self._stored: datetime | None = None

    async def look(self, now: datetime) -> timedelta | None:
        """The set-back of the clock since the last look of any replica; None if there is none."""
        known = self._stored is not None and now - self._stored < WRITTEN_EVERY
        if known and not set_back(self._seen, now):
            self._seen = now
            return None
        found = await self._anew(now)
        self._seen = self._stored = now
        return found
