"""How much a consumer may receive now: any part of it may pause, narrow or end the receiving."""

import asyncio
import math

from watchbot.world import REAL, World


class Valve:
    """Says whether a receive may begin, and how many messages may be in hand.

    Whoever has a reason to receive less turns it; the intake looks at it before each receive, and
    goes by the clocks of its `world`.
    """

    def __init__(self, world: World = REAL) -> None:
        self.world = world
        self._held_until = 0.0
        self.most: int | None = None  # None: as many as there are slots
        self.poll_until = math.inf  # no poll is to wait longer, though each waits a second
        self.closed = False
        self.turned = asyncio.Event()  # set by each turn; the intake clears it

    @property
    def held_s(self) -> float:
        """Seconds until receiving goes on; 0 where nothing holds it up."""
        return max(0.0, self._held_until - self.world.now())

    def hold(self, seconds: float) -> None:
        """Begins no receive for at least `seconds` from now."""
        self._held_until = max(self._held_until, self.world.now() + seconds)

    def narrow(self, most: int | None) -> None:
        """Keeps at most `most` messages in hand from now on; None: as many as there are slots."""
        self.most = most
        self.turned.set()

    def close(self) -> None:
        """Begins no receive any more. The consumer ends when what is in hand is done."""
        self.closed = True
        self.turned.set()
