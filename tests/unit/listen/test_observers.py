"""Who hears what became of each message, and who is told of a failure."""

import pytest

from tests.support.builders import FakeClient, a_report
from watchbot.listen.breaker import Breaker
from watchbot.listen.notices import Notices
from watchbot.listen.notify import Notifier
from watchbot.listen.observers import Observers
from watchbot.listen.report import Report
from watchbot.outcome import COMPLETED, RETURNED
from watchbot.sqs.valve import Valve


class Noting:
    def __init__(self, heard: list[str], name: str) -> None:
        self._heard, self._name = heard, name

    def observe(self, report: Report) -> None:
        self._heard.append(f"{self._name} {report.message.id}")


class Raising:
    def observe(self, report: Report) -> None:
        raise ValueError("a fault of ours")


def test_each_is_told_once_in_order_whatever_another_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = list[str]()
    observers = Observers([Noting(heard, "first"), Raising(), Noting(heard, "last")])

    observers.observe(a_report(1))

    assert heard == ["first m1", "last m1"]
    assert [record.message for record in caplog.records] == ["an observer failed"]


class Notified(Notifier):
    """A notifier that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(FakeClient(), "arn", "service", {})  # type: ignore[arg-type]  # a fake
        self.told: list[tuple[str, bool]] = []

    def notify(self, report: Report, *, stopped: bool = False) -> None:
        self.told.append((report.message.id, stopped))


def told(limit: int, *reports: Report) -> list[tuple[str, bool]]:
    """Whom a person is told of, and of which it is said that receiving has stopped."""
    notifier, breaker = Notified(), Breaker(limit, Valve())
    observers = Observers([breaker, Notices(notifier, breaker)])
    for report in reports:
        observers.observe(report)
    return notifier.told


def test_failures_are_told_and_nothing_else() -> None:
    reports = [a_report(1), a_report(2, outcome=COMPLETED), a_report(3, outcome=RETURNED)]

    assert told(0, *reports) == [("m1", False)]


def test_failure_that_opens_the_breaker_says_so_and_is_the_last_one_told() -> None:
    reports = [a_report(number) for number in range(4)]

    assert told(2, *reports) == [("m0", False), ("m1", True)]


def test_failures_are_told_again_once_the_breaker_is_closed() -> None:
    reports = [a_report(0), a_report(1), a_report(2, outcome=COMPLETED), a_report(3)]

    assert told(1, *reports) == [("m0", True), ("m3", False)]
