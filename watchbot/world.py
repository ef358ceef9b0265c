"""Time and chance, handed in from outside: a test makes a day pass in no time, and twice alike."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

if hasattr(time, "CLOCK_BOOTTIME"):

    def _now() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:  # macOS: its monotonic clock stops in sleep, and a lease may be thought alive too long
    _now = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The clocks and the random generator that a service works with.

    `now` gives seconds that only go up, those included in which the machine slept: SQS's clocks run
    on while a laptop sleeps, so a lease must be counted with it. `wall` gives seconds since 1970.
    """

    now: Callable[[], float] = _now
    wall: Callable[[], float] = time.time
    chance: random.Random


REAL = World(chance=random.Random())
