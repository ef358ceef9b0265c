"""Room for workers: what a process needs of the machine is reserved before its message is received.

A message that is received in vain has spent one of its receives; after a few of these it is a dead
letter that never ran.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress

from watchbot.descriptors import PER_WORKER, STARTING
from watchbot.world import REAL, World

LOOK_EVERY_S = 1  # a look starts a process, which costs a millisecond
SAY_EVERY_S = 60

log = logging.getLogger(__name__)


class Reserve:
    """Holds descriptors, which nothing else can take then, for each worker that may come.

    `look` raises `OSError` when the machine lacks something else that a worker needs.
    """

    def __init__(self, look: Callable[[], None], world: World = REAL) -> None:
        self._look, self._clock = look, world.now
        self._held: list[int] = []
        self._workers = 0
        self._looks_at = self._says_at = 0.0
        self.trouble: str | None = None

    def take(self, count: int) -> int:
        """Takes room for up to `count` workers; returns for how many. 0: `trouble` says why."""
        try:
            if self.trouble or self._clock() >= self._looks_at:
                self._look()
                self._looks_at = self._clock() + LOOK_EVERY_S
            got = self._hold(count)
        except OSError as error:
            self._say(error)
            return 0
        if self.trouble:
            log.info("room for a worker again")
        self.trouble, self._says_at = None, 0.0
        return got

    def give_back(self, count: int = 1) -> None:
        """Gives back room that was taken: nothing comes, or a worker is about to use it."""
        self._workers -= count
        self._let_go()

    def seat(self) -> "Seat":
        """The room for one worker, which was taken before."""
        return Seat(self)

    def close(self) -> None:
        """Lets go of all."""
        self._workers = 0
        self._let_go()

    def _hold(self, count: int) -> int:
        """For how many more there were descriptors; raises `OSError` if for none."""
        wanted = (self._workers + count) * PER_WORKER + STARTING
        try:
            while len(self._held) < wanted:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            got = (len(self._held) - STARTING) // PER_WORKER - self._workers
            if got <= 0:
                self._let_go()
                raise
            count = got
        self._workers += count
        return count

    def _let_go(self) -> None:
        # What a start takes for a moment goes, too: the next to be taken brings it back.
        while len(self._held) > self._workers * PER_WORKER:
            with suppress(OSError):
                os.close(self._held.pop())

    def _say(self, error: OSError) -> None:
        self.trouble = f"the machine has no room for a worker: {error.strerror}"
        if self._clock() >= self._says_at:
            self._says_at = self._clock() + SAY_EVERY_S
            log.warning("no room for a worker, not receiving", extra={"reason": error.strerror})


class Seat:
    """The room for one worker; given back once."""

    __slots__ = ("_left", "_reserve")

    def __init__(self, reserve: Reserve) -> None:
        self._reserve, self._left = reserve, False

    def leave(self) -> None:
        """Gives the room back, so that the worker can have it; later calls do nothing."""
        if not self._left:
            self._left = True
            self._reserve.give_back()
