"""What each numbered message is to do, and what the ledger says was done."""

from collections.abc import Iterable
from dataclasses import dataclass

ALWAYS = 1000  # more receives than any message gets
GROUPS = 17  # shares no divisor with what recurs, so that each group has its part of what fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the runs of one message end."""

    number: int
    code: int = 0
    early: int = 0  # how many receives fail first
    fails: int = 1  # and with which code
    nap_s: float = 0

    @property
    def poison(self) -> bool:
        return self.early == ALWAYS

    @property
    def body(self) -> str:
        return f"{self.number} {self.code} {self.early} {self.fails} {self.nap_s:g}\n"

    @property
    def group(self) -> str:
        return group_of(self.number)


def plan_of(number: int) -> Plan:
    nap_s = 0.4 if number % 16 == 5 else 0
    if number % 100 == 12:
        return Plan(number=number, early=ALWAYS)
    if number % 20 == 3:
        return Plan(number=number, early=1, fails=4, nap_s=nap_s)
    if number % 20 == 11:
        return Plan(number=number, early=2, fails=1, nap_s=nap_s)
    return Plan(number=number, code=3 if number % 20 == 7 else 0, nap_s=nap_s)


def group_of(number: int) -> str:
    return f"g{number % GROUPS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the ledger: a run began, or came to its end with `value` as its exit code."""

    number: int
    worker: int
    watcher: int
    word: str
    value: int

    @property
    def completes(self) -> bool:
        return self.word == "end" and self.value in (0, 3)


def read_ledger(text: str) -> list[Line]:
    """All whole lines, in the order in which they were written."""
    return [_line(*line.split()) for line in text.split("\n")[:-1]]


def _line(number: str, worker: str, watcher: str, word: str, value: str) -> Line:
    return Line(
        number=int(number), worker=int(worker), watcher=int(watcher), word=word, value=int(value)
    )


def completed_again(ledger: Iterable[Line]) -> int:
    """How many runs completed a message that was completed before."""
    ends = [line.number for line in ledger if line.completes]
    return len(ends) - len(set(ends))


def out_of_order(ledger: Iterable[Line]) -> list[str]:
    """What breaks the order within a group.

    A message is completed for the first time only after all those before it in its group that ever
    complete, and no run of it starts after one behind it was completed: by then it was deleted,
    whoever may have held it once.
    """
    highest: dict[str, int] = {}
    found, done = [], set[int]()
    for line in ledger:
        group = group_of(line.number)
        late = line.number < highest.get(group, -1)
        if late and line.word == "start":
            found.append(f"{line.number} started after {highest[group]} was completed")
        if line.completes and line.number not in done:
            done.add(line.number)
            if late:
                found.append(f"{line.number} was first completed after {highest[group]}")
            highest[group] = max(line.number, highest.get(group, -1))
    return found


def overlaps(ledger: Iterable[Line], doubtful: set[tuple[int, int]]) -> list[str]:
    """Runs that started while another of their group ran.

    `doubtful` are (message, watcher) of runs whose lease was lost or whose watcher was killed or
    stopped: these run on, and the queue has every right to hand out their messages again.
    """
    running: dict[str, dict[int, int]] = {}
    found = []
    for line in ledger:
        if (line.number, line.watcher) in doubtful:
            continue
        mine = running.setdefault(group_of(line.number), {})
        if line.word == "start":
            found += [f"{line.number} started while {other} ran" for other in mine.values()]
            mine[line.worker] = line.number
        else:
            mine.pop(line.worker, None)
    return found
