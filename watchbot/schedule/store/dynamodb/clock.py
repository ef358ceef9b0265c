"""The time by DynamoDB: whole seconds, in the Date header of each answer."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Now = Callable[[], Awaitable[datetime]]

MEMORY_S = 60  # for so long an answer counts at least: our own clock may run at another rate


class ServerClock:
    """Estimates a server's time from Date headers: never ahead, at most a second behind.

    An answer dated 12:00:00 was written then or up to a second later, so that when it comes it is
    12:00:00 at least. Of the answers of the last minutes the one counts that says most: some of
    them were written at the very beginning of a second. `own` is a clock of ours, in seconds.
    """

    def __init__(self, own: Callable[[], float] = time.monotonic) -> None:
        self._own = own
        self._ahead: list[float] = []  # of ours, by the answers of this span, and the one before
        self._span_ends_at = 0.0

    def told(self, date: str) -> None:
        """An answer has come that is dated so, in the form of HTTP."""
        own = self._own()
        ahead = parsedate_to_datetime(date).timestamp() - own
        if own >= self._span_ends_at:
            self._ahead = [ahead, *self._ahead[:1]]
            self._span_ends_at = own + MEMORY_S
        self._ahead[0] = max(ahead, self._ahead[0])

    async def now(self) -> datetime:
        """The time; before the first answer that of this machine."""
        if not self._ahead:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._own() + max(self._ahead), UTC)
