"""What this machine has for workers: before a message is received, and when its worker starts."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from watchbot import descriptors
from watchbot.errors import SettingError
from watchbot.listen import spawn
from watchbot.listen.reserve import Reserve
from watchbot.listen.workspace import Workspace
from watchbot.settings.base import describe
from watchbot.sqs.intake import Intake

PAUSE_S = 60  # the longest that nothing is received when the machine starts no worker
WAIT_S = 300  # so long a message in hand waits for a machine that starts no worker

RAISED_BY = "ulimit -Hn, docker run --ulimit nofile=N, or `ulimits` in a task definition"

Result = TypeVar("Result")

log = logging.getLogger(__name__)


def make_room(workers: int) -> None:
    """Sees to descriptors for so many workers; raises `SettingError` when they may not be had."""
    most = descriptors.carried()
    if most is not None and workers > most:
        needed, limit = descriptors.needed(workers), descriptors.hard_limit()
        problem = f"{workers} workers need {needed} open files, and the hard limit is {limit}"
        advice = f"ask for at most {max(1, most)}, or raise it ({RAISED_BY})"
        raise SettingError(describe("concurrency"), f"{problem}: {advice}")
    descriptors.make_room(workers)


class Machine:
    """Has `intake` receive what there is room for."""

    def __init__(self, intake: Intake, workspace: Workspace) -> None:
        self._intake, self._workspace = intake, workspace
        self.reserve = Reserve(self._look)
        intake.room = self.reserve
        self._stumbles = 0  # pauses in a row because the machine could start no worker

    async def insist(
        self,
        attempt: Callable[[], Awaitable[Result]],
        leaving: anyio.Event,
        wanted: Callable[[], bool],
    ) -> Result:
        """What `attempt` gives, tried again when the machine cannot start it.

        A message that went back instead would have spent a receive. Raises the `OSError` once
        nobody has `wanted` it any more, the watcher is `leaving`, or it has waited for WAIT_S.
        """
        ends = anyio.current_time() + WAIT_S
        while True:
            try:
                result = await attempt()
            except OSError as error:
                await self._pause(error, leaving)
                if leaving.is_set() or not wanted() or anyio.current_time() > ends:
                    raise
            else:
                self._stumbles = 0
                return result

    async def _pause(self, error: OSError, leaving: anyio.Event) -> None:
        if not self._intake.held:  # those that were received together count once
            self._stumbles += 1
        pause_s = min(2**self._stumbles, PAUSE_S)
        log.warning(
            "cannot start a worker, pausing", extra={"reason": error.strerror, "pause_s": pause_s}
        )
        self._intake.hold(pause_s)
        with anyio.move_on_after(pause_s):
            await leaving.wait()

    def _look(self) -> None:
        spawn.rehearse()
        self._workspace.check()
