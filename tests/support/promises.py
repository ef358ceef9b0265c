"""Laws of delivery that the chaos suite and the simulation share, over a ledger of runs.

Each is a promise of docs/explanation/delivery.md, with the faults under which it holds. Those that
name no fault hold under all.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

LAWS: Mapping[str, str] = {
    "nothing lost": "At least once: whatever dies, a message that is not done is in the queue, or "
    "in the dead-letter queue. Not where the queue itself is deleted",
    "nothing twice": "When a command runs twice: with SIGTERM alone, no message is done twice, and "
    "never two runs of one at once. What is behind a failed message of its FIFO batch is done "
    "again. Not where the queue fails or repeats itself, where a watcher is killed or stands still",
    "one at a time": "FIFO: within a group one message runs at a time. "
    "Runs whose lease is lost go on beside the next",
    "in order": "FIFO: within a group messages run, and are deleted, in order",
    "dead by the rule": "At least once: a message is a dead letter after `--max-attempts` failed "
    "runs or at its last receive, and never before",
}

Run = tuple[int, int]  # the number of a message, and the watcher that runs it
Batch = tuple[int, int]  # a worker, and which of its batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the ledger: a run began, or came to its end with `value` as its exit code.

    `worker` and `watcher` are numbers that no other run, and no other watcher, has at that time;
    the messages of a batch have one worker. `batch` counts the batches of a worker that stays.
    """

    number: int
    group: str
    worker: int
    watcher: int
    word: str
    value: int
    batch: int = 0

    @property
    def run(self) -> Batch:
        """The run that the line is about: of one message, or of a batch."""
        return self.worker, self.batch

    @property
    def completes(self) -> bool:
        return self.word == "end" and self.value in (0, 3)


def lost(sent: Collection[int], ledger: Iterable[Line], dead: Collection[int]) -> list[str]:
    """What breaks `nothing lost`, once the queue is empty."""
    done = {line.number for line in ledger if line.completes}
    return [f"{number} is lost" for number in sorted({*sent} - done - {*dead})]


def wrongly_dead(dead: Collection[int], may_die: Collection[int]) -> list[str]:
    """What breaks `dead by the rule`."""
    return [f"{number} is dead, but not by the plan" for number in sorted({*dead} - {*may_die})]


def completed_again(ledger: Iterable[Line]) -> int:
    """How many runs completed a message that was completed before: they break `nothing twice`."""
    ends = [line.number for line in ledger if line.completes]
    return len(ends) - len(set(ends))


def as_settled(
    ledger: Iterable[Line], has_settled: Callable[[Line], bool] = lambda _: True
) -> list[Line]:
    """The ledger of a FIFO queue, in which a completion counts only where it settled its message.

    What was completed behind a failed message of the same batch goes back, and is done again.
    `has_settled` knows of other completions that did not, as the watcher died before its delete.
    """
    failed: dict[Batch, int] = {}  # the first message that failed
    found = []
    for line in ledger:
        if line.word == "end" and not line.completes:
            failed[line.run] = min(line.number, failed.get(line.run, line.number))
        behind = line.number > failed.get(line.run, line.number)
        in_vain = line.completes and (behind or not has_settled(line))
        found.append(replace(line, value=1) if in_vain else line)
    return found


def out_of_order(ledger: Iterable[Line]) -> list[str]:
    """What breaks `in order`, where no message is dead.

    A message is completed for the first time only after all those before it in its group that ever
    complete, and no run of it starts after one behind it was completed: by then it was deleted,
    whoever may have held it once. A batch alone may complete both before either is deleted.
    """
    highest: dict[str, int] = {}
    found, done = [], defaultdict[int, set[Batch]](set)
    for line in ledger:
        last = highest.get(line.group, -1)
        late = line.number < last
        if late and line.word == "start" and not done[last] <= done[line.number]:
            found.append(f"{line.number} started after {last} was completed")
        if line.completes:
            if late and not done[line.number]:
                found.append(f"{line.number} was first completed after {last}")
            done[line.number].add(line.run)
            highest[line.group] = max(line.number, last)
    return found


def overlaps(ledger: Iterable[Line], doubtful: Collection[Run]) -> list[str]:
    """What breaks `one at a time`: runs that started while another of their group ran.

    `doubtful` are runs whose lease was lost, or whose watcher was killed or stopped: these run on,
    and the queue has every right to hand out their messages again.
    """
    running: dict[str, set[tuple[int, int]]] = {}  # by group, the workers and their messages
    found = []
    for line in ledger:
        if (line.number, line.watcher) in doubtful:
            continue
        mine = running.setdefault(line.group, set())
        if line.word == "start":
            found += [
                f"{line.number} started while {other} ran"
                for worker, other in sorted(mine)
                if worker != line.worker
            ]
            mine.add((line.worker, line.number))
        else:
            mine.discard((line.worker, line.number))
    return found
