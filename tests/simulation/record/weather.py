"""How well the world does: chance, and what is away or broken now."""

from collections.abc import Mapping
from random import Random

from tests.simulation.judging import Judge


class Weather:
    """Says whether a fault happens now. `calm` ends them all."""

    def __init__(self, chance: Random, faults: Mapping[str, float], judge: Judge) -> None:
        self.chance = chance
        self.away: set[str] = set()  # database, queue
        self._faults, self._judge = faults, judge

    def happens(self, fault: str) -> bool:
        often = self._faults.get(fault, 0)
        found = bool(often) and self.chance.random() < often
        self._judge.injected += found
        return found

    def calm(self) -> None:
        self.away.clear()
        self._faults = {}
