"""moto's ECS, mended: a task runs for a while and ends.

moto's own task has ended when it is looked at first, and is to run for ever: a job that waits for
its tasks would never start another one. Nothing of it is run here either.
"""

import time
from typing import Any

from moto.ecs import models

RUNS_S = 2


class EmbeddedTask(models.Task):
    """Runs for two seconds, and ends well, unless it is stopped first."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._ends_at = time.monotonic() + RUNS_S
        self._stopped = False
        super().__init__(*given, **named)

    @property
    def status(self) -> str:
        return "STOPPED" if self._over else "RUNNING"

    @status.setter
    def status(self, value: str) -> None:
        self._stopped = value == "STOPPED"

    @property
    def desired_status(self) -> str:
        return self.status

    @desired_status.setter
    def desired_status(self, value: str) -> None:
        """It follows the status."""

    @property
    def stop_code(self) -> str | None:
        if not self._over:
            return None
        return "UserInitiated" if self._stopped else "EssentialContainerExited"

    @property
    def _over(self) -> bool:
        return self._stopped or time.monotonic() >= self._ends_at
