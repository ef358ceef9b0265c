"""Finds out whether a service is stuck: each step must end within its time limit."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Knows the steps under way, and the deadline of each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # This clock stops while the machine sleeps, so that no step is overdue on waking.
        self._clock = clock
        self._due: dict[object, tuple[str, float]] = {}

    @contextmanager
    def expecting(self, what: str, within_s: float) -> Iterator[None]:
        """Gives the block `within_s` seconds; `what` names the block in `overdue`."""
        key = object()
        self._due[key] = (what, self._clock() + within_s)
        try:
            yield
        finally:
            del self._due[key]

    def overdue(self) -> str | None:
        """A sentence that names an overdue step and its delay, or None."""
        for what, due in self._due.values():
            if (late_s := self._clock() - due) > 0:
                return f"{what} is overdue by {late_s:.0f} s"
        return None
