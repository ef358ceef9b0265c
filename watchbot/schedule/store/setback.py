"""A clock that is set back: noticed by what was written of it before, by whichever replica."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=10)  # no clock of several servers is steadier than some seconds
WRITTEN_EVERY = timedelta(seconds=30)
WAKES_WITHIN = timedelta(minutes=1)  # what was put off until a time that has gone away again

Anew = Callable[[datetime], Awaitable[timedelta | None]]


def set_back(seen: datetime | None, now: datetime) -> timedelta | None:
    """By how much a clock was set back since it was seen; None: it was not."""
    return seen - now if seen and seen - now > TOLERANCE else None


class ClockWatch:
    """Looks at a clock often, and at what is stored of it seldom.

    `anew` compares a time with the one that is stored. Where the clock was set back it plans
    anew; it stores the time, and says by how much it was set back.
    """

    def __init__(self, anew: Anew) -> None:
        self._anew = anew
        self._seen: datetime | None = None
        self._stored: datetime | None = None

    async def look(self, now: datetime) -> timedelta | None:
        """By how much the clock was set back since somebody looked last; None: it was not."""
        known = self._stored is not None and now - self._stored < WRITTEN_EVERY
        if known and not set_back(self._seen, now):
            self._seen = now
            return None
        found = await self._anew(now)
        self._seen = self._stored = now
        return found
