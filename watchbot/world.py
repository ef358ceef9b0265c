"""Provides clocks and random numbers from outside, so that a test can repeat a run exactly."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

if hasattr(time, "CLOCK_BOOTTIME"):

    def now() -> float:
        """Seconds that only go up, including those in which the machine slept.

        SQS's clocks run on while a laptop sleeps, so leases need this clock.
        """
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:  # macOS: its monotonic clock stops in sleep, so a lease may look alive for too long
    now = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The clocks and the random generator of a service.

    `now` gives seconds that only go up, `wall` seconds since 1970.
    """

    now: Callable[[], float] = now
    wall: Callable[[], float] = time.time
    chance: random.Random

    def name(self) -> str:
        """A unique name: 16 hexadecimal digits."""
        return f"{self.chance.getrandbits(64):016x}"


REAL = World(chance=random.Random())
