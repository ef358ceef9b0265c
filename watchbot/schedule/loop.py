"""Repeats a step for as long as the service runs."""

import logging
from collections.abc import Awaitable, Callable

import anyio

from watchbot.aws import retry_pause
from watchbot.errors import DatabaseError
from watchbot.watchdog import Watchdog
from watchbot.world import REAL, World

RETRY_CAP_S = 5
STUCK_S = 600  # a healthy step takes seconds, and an unreachable database makes it fail

Step = Callable[[], Awaitable[float]]  # returns the seconds to the next step

log = logging.getLogger(__name__)


class Loop:
    """Runs a step after the seconds that the last step returned, or at once after `wake`.

    If the database fails, `trouble` has the error until a step succeeds.
    """

    def __init__(self, step: Step, world: World = REAL) -> None:
        self._step, self._chance = step, world.chance
        self._news = anyio.Event()
        self._over = False
        self._watchdog = Watchdog()
        self.trouble: str | None = None

    def wake(self) -> None:
        """Begins the next step at once: there is something to do."""
        self._news.set()

    def overdue(self) -> str | None:
        """The reason why only a restart can help (a step is stuck), or None."""
        return self._watchdog.overdue()

    def end(self) -> None:
        """Begins no further step; the step under way still finishes."""
        self._over = True
        self._news.set()

    async def run(self) -> None:
        """Runs steps until `end`. Raises a step's errors, except `DatabaseError`."""
        failures = 0
        while not self._over:
            try:
                with self._watchdog.expecting("a step", STUCK_S):
                    pause_s = await self._step()
            except DatabaseError as error:
                failures += 1
                self.trouble = str(error)
                log.warning("database failed", extra={"reason": str(error)})
                pause_s = retry_pause(failures, cap_s=RETRY_CAP_S, chance=self._chance)
                if not self._over:  # `wake` does not shorten the pause after a failure
                    self._news = anyio.Event()
            else:
                failures, self.trouble = 0, None
            with anyio.move_on_after(pause_s):
                await self._news.wait()
            if not self._over:
                self._news = anyio.Event()
