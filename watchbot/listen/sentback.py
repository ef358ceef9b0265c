"""Messages that this watcher sent back, and whether `--exit-when-empty` waits for them."""

import logging
import math
from collections.abc import Mapping

from watchbot.world import REAL, World

SHOWS_IN_S = 2  # how long SQS may take to deliver a message that is visible

log = logging.getLogger(__name__)


class SentBack:
    """Knows when each message that was sent back is visible again.

    Forgets a message that comes back, and a message that another watcher must have received.
    `longest_wait_s` limits the sum of all waits.
    """

    def __init__(self, longest_wait_s: float, world: World = REAL) -> None:
        self._left_s, self._clock = longest_wait_s, world.now
        self._due: dict[str, float] = {}
        self._queues: dict[str, str] = {}
        self._idle_since: float | None = None
        self._told: frozenset[str] = frozenset()

    def note(self, message_id: str, pause_s: float, queue: str = "") -> None:
        """Notes that a message was sent back, to be visible again in `pause_s` seconds."""
        self._due[message_id] = self._clock() + pause_s
        self._queues[message_id] = queue

    def forget(self, queue: str) -> None:
        """Awaits no message of this queue any more."""
        for message_id in [each for each in self._due if self._queues[each] == queue]:
            del self._due[message_id], self._queues[message_id]

    def came(self, message_id: str) -> None:
        """Notes that a message is in hand, which ends the wait."""
        self._due.pop(message_id, None)
        self._queues.pop(message_id, None)
        if self._idle_since is not None:
            self._left_s -= self._clock() - self._idle_since
            self._idle_since = None

    def idle(self) -> float:
        """Notes that no message is in hand; returns the time when the wait ends, by the clock.

        Returns infinity if no message is awaited.
        """
        ends = self._ends()
        return ends if self._awaited(ends) else math.inf

    def none_awaited(self) -> bool:
        """Whether no message is awaited, now that no message is in hand."""
        moment, ends = self._clock(), self._ends()
        awaited = self._awaited(ends)
        if awaited.keys() - self._told:
            next_in_s = max(0, round(min(awaited.values()) - moment))
            facts = {"messages": len(awaited), "next_in_s": next_in_s}
            log.info("waiting for messages that went back", extra=facts)
        self._told = frozenset(awaited)
        return moment >= ends or not awaited

    def _ends(self) -> float:
        if self._idle_since is None:
            self._idle_since = self._clock()
        return self._idle_since + self._left_s

    def _awaited(self, ends: float) -> Mapping[str, float]:
        """The time when each awaited message is visible again, by message id."""
        moment = self._clock()
        return {
            message_id: due
            for message_id, due in self._due.items()
            if moment < due + SHOWS_IN_S and due < ends
        }
