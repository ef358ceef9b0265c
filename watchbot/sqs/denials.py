"""Reports permissions that AWS denies while messages are in hand, because no retry helps."""

import logging
from enum import StrEnum

from watchbot.world import REAL, World

QUIET_S = 60  # the shortest time between two lines, because every message meets the denial
TRIES = 3  # of a denied call: a new policy takes a while to reach all of AWS's servers
PAUSE_S = 60  # of receives: messages that cannot be deleted would run again


class Settling(StrEnum):
    """An action on a message in hand, named by the permission that it needs."""

    DELETE = "sqs:DeleteMessage"
    HIDE = "sqs:ChangeMessageVisibility"


_LOSSES = {
    Settling.DELETE: "SQS delivers completed messages again",
    Settling.HIDE: "SQS delivers a message again while it runs longer than the visibility timeout",
}

log = logging.getLogger(__name__)


class Denials:
    """Knows which permissions AWS denied and has not granted since."""

    def __init__(self, world: World = REAL) -> None:
        self._now = world.now
        self._told_at: dict[Settling, float] = {}

    @property
    def trouble(self) -> str | None:
        """The worst denial in words, or None."""
        for permission in Settling:
            if permission in self._told_at:
                return f"{permission} is denied: {_LOSSES[permission]}"
        return None

    def note(self, permission: Settling, reason: str) -> None:
        """Logs a denied call, at most once a minute."""
        told_at = self._told_at.get(permission)
        if told_at is None or self._now() - told_at >= QUIET_S:
            self._told_at[permission] = self._now()
            facts = {"reason": reason, "loss": _LOSSES[permission]}
            log.error("%s is denied", permission, extra=facts)

    def clear(self, permission: Settling) -> None:
        """Notes that a call was granted."""
        self._told_at.pop(permission, None)
