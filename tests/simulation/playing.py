"""What every simulation does with its histories: plays many, makes small what fails, shows it."""

import argparse
import gc
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from tests.simulation.judging import Broken


class AHistory(Protocol):
    """All that a seed makes."""

    @property
    def seed(self) -> int: ...

    def to_text(self) -> str: ...


History = TypeVar("History", bound=AHistory)
COLLECT_AFTER = 20_000  # objects: a history leaves few that only the collector can free


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a history: all that happened, a line each, and the first law that broke.

    `seconds` are simulated, `faults` those that were injected, `checked` how often a law was.
    """

    lines: Sequence[str]
    broken: Broken | None
    seconds: float
    runs: int
    faults: int = 0
    checked: int = 0

    @property
    def law(self) -> str:
        """The name of the law that broke; empty when all hold."""
        return str(self.broken or "").partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation(Generic[History]):
    """What is simulated: how a history is made of a seed or a text, played, and made smaller."""

    name: str
    laws: Mapping[str, str]
    of_seed: Callable[[int], History]
    of_text: Callable[[str], History]
    play: Callable[[History], Played]
    smaller: Callable[[History], Iterator[History]]

    def shrunk(self, history: History) -> History:
        """The smallest history that was found which still breaks the same law."""
        law = self.play(history).law
        smaller: History | None = history if law else None
        while smaller:
            history = smaller
            smaller = next(
                (each for each in self.smaller(history) if self.play(each).law == law), None
            )
        return history

    def report(self, history: History) -> str:
        """What happened, which law broke, and how to see it again."""
        played = self.play(history)
        again = f"{self._command} --replay FILE, where FILE has the history below"
        lines = [*played.lines, str(played.broken), f"replay: {again}", history.to_text()]
        return "\n".join(lines)

    def main(self) -> int:
        """Plays histories as the command line asks; 1 when a law broke."""
        options = self._options()
        if options.replay:
            return self._replay(options.replay)
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        if options.trace:
            for seed in seeds:
                self._show(self.of_seed(seed))
            return 0
        total = Total(self)
        for seed, played in self._summaries(seeds, options.cores):
            total.add(seed, played)
            if total.broken and options.first_failure:
                return 1
        print(total, flush=True)
        for law, seed in total.first.items():
            print(f"\n{law}, by seed {seed}, made small:", flush=True)
            print(self.report(self.shrunk(self.of_seed(seed))), flush=True)
        return bool(total.broken)

    @property
    def _command(self) -> str:
        return f"python -m tests.simulation.{self.name}"

    def _options(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(prog=self._command)
        parser.add_argument("--seeds", type=int, default=1000)
        parser.add_argument("--first-seed", type=int, default=0)
        parser.add_argument("--cores", type=int, default=multiprocessing.cpu_count())
        parser.add_argument("--trace", action="store_true", help="print all that happens")
        parser.add_argument("--first-failure", action="store_true", help="end at the first one")
        parser.add_argument("--replay", type=Path, help="a file with a history, or a seed's number")
        return parser.parse_args()

    def _replay(self, named: Path) -> int:
        if named.exists():
            history = self.of_text(named.read_text(encoding="utf-8"))
        else:
            history = self.of_seed(int(named.name))
        return self._show(history)

    def _show(self, history: History) -> int:
        played = self.play(history)
        print(*played.lines, sep="\n")
        print(played.broken or "all laws hold")
        return bool(played.broken)

    def _summaries(self, seeds: range, cores: int) -> Iterator[tuple[int, Played]]:
        if cores == 1:  # without a process that may outlive this one
            with rarely_collecting():
                yield from map(self._summary, seeds)
            return
        with rarely_collecting(), multiprocessing.Pool(cores) as pool:
            yield from pool.imap_unordered(self._summary, seeds, chunksize=10)

    def _summary(self, seed: int) -> tuple[int, Played]:
        played = self.play(self.of_seed(seed))
        return seed, Played(
            lines=(),
            broken=played.broken,
            seconds=played.seconds,
            runs=played.runs,
            faults=played.faults,
            checked=played.checked,
        )


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Has the collector look less often, and never at what the imports made."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Total:
    """What came of many histories. `first` is a seed of each law that broke."""

    def __init__(self, simulation: Simulation[History]) -> None:
        self._laws, self._name = simulation.laws, simulation.name
        self._histories = self._seconds = self._runs = self._faults = self._checked = 0.0
        self.broken: dict[int, Broken] = {}
        self.first: dict[str, int] = {}

    def add(self, seed: int, played: Played) -> None:
        self._histories += 1
        self._seconds += played.seconds
        self._runs += played.runs
        self._faults += played.faults
        self._checked += played.checked
        if played.broken:
            print(f"seed {seed}: {played.broken}", flush=True)
            self.broken[seed] = played.broken
            self.first.setdefault(played.law, seed)

    def __str__(self) -> str:
        return (
            f"{self._name}: {self._histories:,.0f} seeds, {self._seconds / 3600:,.1f} simulated "
            f"hours, {self._runs:,.0f} runs, {self._faults:,.0f} faults injected, "
            f"{len(self._laws)} laws checked {self._checked:,.0f} times, "
            f"{len(self.broken)} seeds in which one broke"
        )


def table(laws: Mapping[str, str]) -> str:
    """The laws as docs/explanation/testing.md has them."""
    rows = [f"| {law} | {promise} |" for law, promise in laws.items()]
    return "\n".join(["| law | the promise, and what excuses it |", "|---|---|", *rows])


def leave(simulation: Simulation[History]) -> None:
    """Ends the program with the exit code of `main`."""
    sys.exit(simulation.main())
