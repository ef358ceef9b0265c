"""What AWS denies while messages are in hand: told at once, as no retry mends it."""

import logging
from enum import StrEnum

from watchbot.world import REAL, World

QUIET_S = 60  # told once in so long: each message meets it
TRIES = 3  # of a call that is denied: a policy that was changed just now is not everywhere yet
PAUSE_S = 60  # nothing is received for so long: what is done could not be deleted, and ran again


class Settling(StrEnum):
    """What is done to a message in hand, by the permission that it needs."""

    DELETE = "sqs:DeleteMessage"
    HIDE = "sqs:ChangeMessageVisibility"


_LOSSES = {
    Settling.DELETE: "what is done comes again",
    Settling.HIDE: "what runs longer than the visibility timeout is given to others, too",
}

log = logging.getLogger(__name__)


class Denials:
    """Which permissions were denied, and not granted since."""

    def __init__(self, world: World = REAL) -> None:
        self._now = world.now
        self._told_at: dict[Settling, float] = {}

    @property
    def trouble(self) -> str | None:
        """The worst of them in words, or None."""
        for permission in Settling:
            if permission in self._told_at:
                return f"{permission} is denied: {_LOSSES[permission]}"
        return None

    def note(self, permission: Settling, reason: str) -> None:
        """Tells of a call that was denied, once a minute."""
        told_at = self._told_at.get(permission)
        if told_at is None or self._now() - told_at >= QUIET_S:
            self._told_at[permission] = self._now()
            facts = {"reason": reason, "loss": _LOSSES[permission]}
            log.error("%s is denied", permission, extra=facts)

    def clear(self, permission: Settling) -> None:
        """Notes that a call was granted."""
        self._told_at.pop(permission, None)
