"""What each numbered message is to do, and the ledger of what was done."""

from dataclasses import dataclass

from tests.support.promises import Line

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


def plan_of(number: int, *, poison: bool = True) -> Plan:
    """The plan of a message; without `poison` each is done in the end."""
    nap_s = 0.4 if number % 16 == 5 else 0
    if poison and number % 100 == 12:
        return Plan(number=number, early=ALWAYS)
    if number % 20 == 3:
        return Plan(number=number, early=1, fails=4, nap_s=nap_s)
    if number % 20 == 11:
        return Plan(number=number, early=2, fails=1, nap_s=nap_s)
    return Plan(number=number, code=3 if number % 20 == 7 else 0, nap_s=nap_s)


def group_of(number: int) -> str:
    return f"g{number % GROUPS}"


def read_ledger(text: str) -> list[Line]:
    """All whole lines, in the order in which they were written."""
    return [_line(line.split()) for line in text.split("\n")[:-1]]


def _line(words: list[str]) -> Line:
    number, worker, watcher, word, value, *batch = words  # a shell's worker has no batches
    return Line(
        number=int(number),
        group=group_of(int(number)),
        worker=int(worker),
        watcher=int(watcher),
        word=word,
        value=int(value),
        batch=int(batch[0]) if batch else 0,
    )
