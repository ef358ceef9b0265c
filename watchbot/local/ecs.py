"""Changes moto's ECS so that a task runs for a while and then ends.

In moto a task's status is STOPPED at the first look, but its desired status stays RUNNING: a job
that waits for its tasks would never start another task. Here, too, no container runs.
"""

import time
from typing import Any

from moto.ecs import models

RUNS_S = 2


class EmbeddedTask(models.Task):
    """A task that runs for two seconds and then succeeds, unless somebody stops it before."""

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
        """Ignores the value: the desired status follows the status."""

    @property
    def stop_code(self) -> str | None:
        if not self._over:
            return None
        return "UserInitiated" if self._stopped else "EssentialContainerExited"

    @property
    def _over(self) -> bool:
        return self._stopped or time.monotonic() >= self._ends_at


def mend() -> None:
    """Has moto run such tasks, for the rest of this process."""
    models.Task = EmbeddedTask  # type: ignore[misc]  # of moto, and for it alone
