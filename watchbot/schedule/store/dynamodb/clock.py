"""Estimates DynamoDB's time from whole seconds in the Date header of each answer."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Now = Callable[[], Awaitable[datetime]]

MEMORY_S = 60  # how long an answer counts at least; our own clock may run at another rate


class ServerClock:
    """Estimates a server's time from Date headers: never ahead, at most a second behind.

    A server writes an answer dated 12:00:00 at that time or up to a second later. So on arrival the
    time is at least 12:00:00. The estimate uses the answer of the last minutes that gives the
    latest time: some answers were written at the beginning of a second. `own` is our clock, in
    seconds.
    """

    def __init__(self, own: Callable[[], float] = time.monotonic) -> None:
        self._own = own
        self._ahead: list[float] = []  # the server's lead in this span, and in the span before
        self._span_ends_at = 0.0

    def told(self, date: str) -> None:
        """Takes the Date header of an answer that has just come."""
        own = self._own()
        ahead = parsedate_to_datetime(date).timestamp() - own
        if own >= self._span_ends_at:
            self._ahead = [ahead, *self._ahead[:1]]
            self._span_ends_at = own + MEMORY_S
        self._ahead[0] = max(ahead, self._ahead[0])

    async def now(self) -> datetime:
        """The server's time; before the first answer, this machine's."""
        if not self._ahead:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._own() + max(self._ahead), UTC)
