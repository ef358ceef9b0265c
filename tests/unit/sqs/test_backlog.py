"""Tests the next message of an embedded queue, by a clock that the test turns."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from watchbot.sqs.backlog import Backlog, QueuedMessage, State


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backlog(clock: Clock) -> Backlog[str]:
    return Backlog(clock)


def taken(backlog: Backlog[str], count: int = 10, hidden_s: float = 30) -> list[QueuedMessage[str]]:
    entries: list[QueuedMessage[str]] = []
    backlog.return_due()
    while len(entries) < count and (entry := backlog.next(entries[-1].lane if entries else None)):
        backlog.take(entry, hidden_s)
        entries.append(entry)
    return entries


def keys(entries: list[QueuedMessage[str]]) -> str:
    return " ".join(entry.key for entry in entries)


def fill(backlog: Backlog[str], *names: str, grouped: bool = False) -> None:
    for name in names:
        backlog.add(name, name, name[0] if grouped else None, 0)


def test_messages_come_in_the_order_in_which_they_were_sent(backlog: Backlog[str]) -> None:
    fill(backlog, "1", "2", "3")

    assert keys(taken(backlog, count=2)) == "1 2"
    assert keys(taken(backlog)) == "3"
    assert taken(backlog) == []


def test_message_comes_back_to_its_place_when_it_is_due(
    backlog: Backlog[str], clock: Clock
) -> None:
    fill(backlog, "1", "2", "3")
    taken(backlog, count=1, hidden_s=30)

    clock.at = 29.9
    early = taken(backlog, count=1)
    clock.at = 30

    assert keys(early) == "2"
    assert keys(taken(backlog)) == "1 3"


def test_message_that_is_hidden_again_comes_back_at_the_later_time(
    backlog: Backlog[str], clock: Clock
) -> None:
    fill(backlog, "1")
    [entry] = taken(backlog, hidden_s=30)
    backlog.hide(entry, 60)

    clock.at = 30
    assert taken(backlog) == []
    assert backlog.due_in() == 30
    clock.at = 60
    assert keys(taken(backlog)) == "1"


def test_message_that_hides_for_no_time_is_not_given_twice_in_one_go(
    backlog: Backlog[str],
) -> None:
    fill(backlog, "1", "2")

    assert keys(taken(backlog, hidden_s=0)) == "1 2"
    assert keys(taken(backlog, hidden_s=0)) == "1 2"


def test_delayed_message_waits_from_its_time(backlog: Backlog[str], clock: Clock) -> None:
    backlog.add("1", "1", None, 10)
    assert (backlog.count(State.DELAYED), taken(backlog)) == (1, [])

    clock.at = 10

    assert (backlog.count(State.DELAYED), backlog.count(State.WAITING)) == (0, 1)
    assert keys(taken(backlog)) == "1"


def test_removed_message_does_not_come_back(backlog: Backlog[str], clock: Clock) -> None:
    fill(backlog, "1", "2")
    [entry] = taken(backlog, count=1)
    backlog.remove(entry)

    clock.at = 100

    assert backlog.find("1") is None
    assert keys(taken(backlog)) == "2"


def test_group_is_closed_while_one_of_it_is_out(backlog: Backlog[str]) -> None:
    fill(backlog, "a1", "b1", "a2", "b2", grouped=True)

    [first] = taken(backlog, count=1)
    others = taken(backlog)
    backlog.remove(first)

    assert keys([first]) == "a1"
    assert keys(others) == "b1 b2"
    assert keys(taken(backlog)) == "a2"


def test_group_opens_when_the_last_of_it_comes_back(backlog: Backlog[str], clock: Clock) -> None:
    fill(backlog, "a1", "a2", "a3", grouped=True)
    first, _ = taken(backlog, count=2, hidden_s=30)
    backlog.hide(first, 10)

    clock.at = 10
    assert taken(backlog) == []
    clock.at = 30
    assert keys(taken(backlog)) == "a1 a2 a3"


def test_cleared_backlog_is_empty(backlog: Backlog[str]) -> None:
    fill(backlog, "a1", "a2", "b1", grouped=True)
    taken(backlog, count=1)

    backlog.clear()

    assert [backlog.count(state) for state in (State.WAITING, State.OUT)] == [0, 0]
    assert taken(backlog) == []
    fill(backlog, "a4", grouped=True)
    assert keys(taken(backlog)) == "a4"


def test_heartbeats_leave_nothing_behind(backlog: Backlog[str]) -> None:
    fill(backlog, "1")
    [entry] = taken(backlog)

    for _ in range(10_000):
        backlog.hide(entry, 30)

    assert len(backlog._later) < 100


class AnyHistory(RuleBasedStateMachine):
    """Whatever is done, a backlog of groups says what a plain walk over all messages says."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.backlog: Backlog[str] = Backlog(self.clock)
        self.kept: list[str] = []  # in the order in which they were sent; the group comes first
        self.hidden: dict[str, tuple[float, QueuedMessage[str]]] = {}
        self.sent = 0

    def out(self) -> list[str]:
        return [key for key in self.kept if key in self.hidden and self.due(key) > self.clock.at]

    def due(self, key: str) -> float:
        return self.hidden[key][0]

    @rule(group=st.sampled_from("abc"))
    def send(self, group: str) -> None:
        self.sent += 1
        key = f"{group}{self.sent}"
        self.kept.append(key)
        self.backlog.add(key, key, group, 0)

    @rule(count=st.integers(1, 4), hidden_s=st.integers(0, 40))
    def receive(self, count: int, hidden_s: int) -> None:
        closed = {key[0] for key in self.out()}
        free = [key for key in self.kept if key[0] not in closed]
        groups = list(dict.fromkeys(key[0] for key in free))  # the one with the oldest first
        expected = [key for group in groups for key in free if key[0] == group][:count]

        entries = taken(self.backlog, count, hidden_s)

        assert keys(entries) == " ".join(expected)
        self.hidden |= {entry.key: (self.clock.at + hidden_s, entry) for entry in entries}

    @precondition(lambda self: bool(self.out()))
    @rule(which=st.integers(0, 9))
    def delete(self, which: int) -> None:
        key = self.out()[which % len(self.out())]
        self.backlog.remove(self.hidden.pop(key)[1])
        self.kept.remove(key)

    @precondition(lambda self: bool(self.out()))
    @rule(which=st.integers(0, 9), seconds=st.integers(0, 40))
    def hide(self, which: int, seconds: int) -> None:
        key = self.out()[which % len(self.out())]
        entry = self.hidden[key][1]
        self.backlog.hide(entry, seconds)
        self.hidden[key] = (self.clock.at + seconds, entry)

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.clock.at += seconds

    @invariant()
    def counts_are_right(self) -> None:
        out = len(self.out())
        assert self.backlog.count(State.OUT) == out
        assert self.backlog.count(State.WAITING) == len(self.kept) - out


AnyHistory.TestCase.settings = settings(stateful_step_count=40)
TestAnyHistory = AnyHistory.TestCase
