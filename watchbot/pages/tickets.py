"""Hands out tickets for forms: each admits one request, so that no form is sent twice.

A second click, a page that is loaded again, or a request that somebody recorded finds its ticket
used.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 20_000  # tickets that wait; the oldest go first
LIFETIME_S = 12 * 3_600


class Tickets:
    """The tickets of one server; another server does not know them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def issue(self, holder: str) -> str:
        """A ticket for this visitor."""
        ticket = secrets.token_urlsafe(18)
        self._until[holder, ticket] = self._clock() + LIFETIME_S
        while len(self._until) > MOST:
            self._until.popitem(last=False)
        return ticket

    def take(self, holder: str, ticket: str) -> bool:
        """Uses a ticket up. False for one that is used, too old, or another visitor's."""
        return self._until.pop((holder, ticket), 0.0) > self._clock()
