"""Reserves descriptors for a worker before the watcher receives its message.

A message that the watcher receives but cannot run loses a receive. After a few lost receives SQS
moves the message to the dead-letter queue, although it never ran.
"""

import logging
import math
import os
from collections.abc import Callable
from contextlib import suppress

from watchbot.descriptors import PER_WORKER, STARTING
from watchbot.world import REAL, World

LOOK_EVERY_S = 1  # a look starts a process, which costs a millisecond
SAY_EVERY_S = 60

log = logging.getLogger(__name__)


class Reserve:
    """Holds open descriptors for each worker that may come, so that no other code takes them.

    `look` raises `OSError` when the machine lacks something else that a worker needs. `most` is
    how many workers may come at once, where that is less than there are messages, and `each` what
    one of them needs.
    """

    def __init__(
        self,
        look: Callable[[], None],
        world: World = REAL,
        *,
        most: float = math.inf,
        each: int = PER_WORKER,
    ) -> None:
        self._look, self._clock = look, world.now
        self._most, self._each = most, each
        self._held: list[int] = []
        self._workers = 0
        self._looks_at = self._says_at = 0.0
        self.trouble: str | None = None

    def take(self, count: int) -> int:
        """Reserves room for up to `count` workers; returns for how many. If 0, see `trouble`."""
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
        """Gives back room: no message came, or a worker is about to use the room."""
        self._workers -= count
        self._let_go()

    def seat(self) -> "Seat":
        """The room for one worker; `take` must have reserved it."""
        return Seat(self)

    def close(self) -> None:
        """Gives back all room."""
        self._workers = 0
        self._let_go()

    def _hold(self, count: int) -> int:
        """The number of further workers for which it got descriptors; `OSError` if for none."""
        wanted = self._needed(self._workers + count) + STARTING
        try:
            while len(self._held) < wanted:
                self._held.append(self._descriptor())
        except OSError:
            got = (len(self._held) - STARTING) // self._each - self._workers
            if got <= 0:
                self._let_go()
                raise
            count = got
        self._workers += count
        return count

    def _descriptor(self) -> int:
        # A copy costs a tenth of what it costs to open a file.
        return os.dup(self._held[-1]) if self._held else os.open(os.devnull, os.O_RDONLY)

    def _needed(self, workers: int) -> int:
        return int(min(workers, self._most)) * self._each

    def _let_go(self) -> None:
        # Also closes the descriptors of a start in progress: the next `take` opens them again.
        while len(self._held) > self._needed(self._workers):
            with suppress(OSError):
                os.close(self._held.pop())

    def _say(self, error: OSError) -> None:
        self.trouble = f"the machine has no room for a worker: {error.strerror}"
        if self._clock() >= self._says_at:
            self._says_at = self._clock() + SAY_EVERY_S
            log.warning("no room for a worker, not receiving", extra={"reason": error.strerror})


class Seat:
    """The room for one worker, which can be given back once."""

    __slots__ = ("_left", "_reserve")

    def __init__(self, reserve: Reserve) -> None:
        self._reserve, self._left = reserve, False

    def leave(self) -> None:
        """Gives the room back, so that the worker can have it; later calls do nothing."""
        if not self._left:
            self._left = True
            self._reserve.give_back()
