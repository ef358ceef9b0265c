"""Tells a service that is stuck from one that waits: what was begun must end in time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Knows what is under way, and by when each of it must have ended."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # Stands still while the machine sleeps: waking up makes nothing overdue.
        self._clock = clock
        self._due: dict[object, tuple[str, float]] = {}

    @contextmanager
    def expecting(self, what: str, within_s: float) -> Iterator[None]:
        """The block, called `what`, must be left within this many seconds."""
        key = object()
        self._due[key] = (what, self._clock() + within_s)
        try:
            yield
        finally:
            del self._due[key]

    def overdue(self) -> str | None:
        """What should have ended and has not, and for how long; or None."""
        for what, due in self._due.values():
            if (late_s := self._clock() - due) > 0:
                return f"{what} is overdue by {late_s:.0f} s"
        return None
