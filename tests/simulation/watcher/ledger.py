"""The ledger of runs, and what the laws that the chaos suite shares say of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tests.simulation.watcher.history import History
from tests.simulation.watcher.known import Known, Run
from tests.support import promises
from tests.support.promises import Line


class Ledger:
    """Keeps when runs began and ended, which are in doubt, and which settled their message."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lines: list[Line] = []
        self._doubtful = set[promises.Run]()
        self._settled = set[tuple[int, int]]()  # by message and batch

    def note(self, known: Known, run: Run, watcher: int, word: str, value: int) -> None:
        self._lines.append(
            Line(
                number=known.place,
                group=known.group,
                worker=id(run.batch),
                watcher=watcher,
                word=word,
                value=value,
            )
        )

    def doubt(self, runs: Iterable[promises.Run]) -> None:
        """Hears of runs whose lease is lost, or whose watcher is dead."""
        self._doubtful.update(runs)

    def settled(self, known: Known, run: Run) -> None:
        """Hears that a message was deleted by the receipt with which it ran."""
        self._settled.add((known.place, id(run.batch)))

    def broken(
        self, sent: Collection[int], dead: Collection[int], may_die: Collection[int]
    ) -> Mapping[str, Sequence[str]]:
        """By law, what breaks it."""
        found = {
            "nothing lost": promises.lost(sent, self._lines, dead),
            "dead by the rule": promises.wrongly_dead(dead, may_die),
        }
        counted = promises.as_settled(self._lines) if self._history.fifo else self._lines
        if self._history.gentle and (again := promises.completed_again(counted)):
            found["nothing twice"] = [f"{again} runs completed what was completed before"]
        if self._history.fifo:
            alive = [line for line in self._lines if line.number not in dead]
            if self._history.batch_size > 1:
                alive = promises.as_settled(alive, self._has_settled)
            found["in order"] = promises.out_of_order(alive)
            found["one at a time"] = promises.overlaps(self._lines, self._doubtful)
        return found

    def _has_settled(self, line: Line) -> bool:
        return (line.number, line.worker) in self._settled
