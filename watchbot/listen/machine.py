"""Checks whether this machine can start workers: before a receive, and at each start."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from watchbot import descriptors
from watchbot.errors import SettingError
from watchbot.listen.reserve import Reserve
from watchbot.settings.base import describe
from watchbot.sqs.valve import Valve
from watchbot.world import REAL, World

PAUSE_S = 60  # the longest pause of receives while the machine can start no worker
WAIT_S = 300  # how long a message in hand waits while the machine can start no worker

RAISED_BY = "ulimit -Hn, docker run --ulimit nofile=N, or `ulimits` in a task definition"

Result = TypeVar("Result")

log = logging.getLogger(__name__)


def make_room(workers: int, each: int = descriptors.PER_WORKER) -> None:
    """Raises the limit of open files to the need of `workers`.

    Raises `SettingError` where the hard limit is too low.
    """
    most = descriptors.carried(each)
    if most is not None and workers > most:
        needed, limit = descriptors.needed(workers, each), descriptors.hard_limit()
        workers_need = "a worker needs" if workers == 1 else f"{workers} workers need"
        problem = f"{workers_need} {needed} open files, and the hard limit is {limit}"
        fewer = f"ask for at most {most}, or " if most else ""
        advice = f"{fewer}raise it ({RAISED_BY})"
        raise SettingError(describe("concurrency"), f"{problem}: {advice}")
    descriptors.make_room(workers, each=each)


class Machine:
    """Knows whether this machine can start workers, and holds back receives while it cannot.

    `reserve` holds the descriptors for workers whose messages are received.
    """

    def __init__(self, reserve: Reserve, valve: Valve, world: World = REAL) -> None:
        self._valve, self._now = valve, world.now
        self.reserve = reserve
        self._stumbles = 0  # pauses in a row because the machine could start no worker

    async def insist(
        self,
        attempt: Callable[[], Awaitable[Result]],
        leaving: anyio.Event,
        wanted: Callable[[], bool],
    ) -> Result:
        """Calls `attempt` until the machine can start it, and returns what it returns.

        Returning the message instead would cost it a receive. Raises the `OSError` of the last
        attempt once `wanted` returns False, the watcher is `leaving`, or WAIT_S seconds are over.
        """
        ends = self._now() + WAIT_S
        while True:
            try:
                result = await attempt()
            except OSError as error:
                await self._pause(error, leaving)
                if leaving.is_set() or not wanted() or self._now() > ends:
                    raise
            else:
                self._stumbles = 0
                return result

    async def _pause(self, error: OSError, leaving: anyio.Event) -> None:
        if not self._valve.held_s:  # messages that were received together count once
            self._stumbles += 1
        pause_s = min(2**self._stumbles, PAUSE_S)
        log.warning(
            "cannot start a worker, pausing", extra={"reason": error.strerror, "pause_s": pause_s}
        )
        self._valve.hold(pause_s)
        with anyio.move_on_after(pause_s):
            await leaving.wait()
