"""Controls how much a consumer receives: any part of it may pause, narrow or end receives."""

import asyncio
import math

from watchbot.world import REAL, World


class Valve:
    """Knows whether a receive may begin, and how many messages may be in hand.

    Any part of the consumer may turn the valve. The intake reads it before each receive, and uses
    the clocks of its `world`.
    """

    def __init__(self, world: World = REAL) -> None:
        self.world = world
        self._held_until = 0.0
        self.most: int | None = None  # None: as many as there are slots
        self.poll_until = math.inf  # polls end by this time, but each waits at least a second
        self.closed = self.full = False
        self.turned = asyncio.Event()  # set by each turn; the intake clears it

    @property
    def held_s(self) -> float:
        """Seconds until receives go on; 0 if they are not paused."""
        return max(0.0, self._held_until - self.world.now())

    def hold(self, seconds: float) -> None:
        """Pauses receives for at least `seconds` from now."""
        self._held_until = max(self._held_until, self.world.now() + seconds)

    def fill(self, full: bool) -> None:
        """Pauses receives while the messages in hand take up too much memory."""
        if full != self.full:
            self.full = full
            self.turned.set()

    def narrow(self, most: int | None) -> None:
        """Keeps at most `most` messages in hand from now on; None: as many as there are slots."""
        self.most = most
        self.turned.set()

    def close(self) -> None:
        """Ends receives for good. The consumer ends when all messages in hand are settled."""
        self.closed = True
        self.turned.set()
