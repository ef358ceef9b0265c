"""Decides which failures are published to people."""

from watchbot.listen.breaker import Breaker
from watchbot.listen.notify import Notifier
from watchbot.listen.report import Report


class Notices:
    """An observer that publishes failures, but none while the breaker is open.

    The failure that opens the breaker is published, and its notice says that receiving has stopped.
    So the breaker must observe each report before this observer.
    """

    def __init__(self, notifier: Notifier, breaker: Breaker) -> None:
        self._notifier, self._breaker = notifier, breaker

    def observe(self, report: Report) -> None:
        """Publishes the report if its outcome asks for a notice."""
        opened = self._breaker.was_opened_by(report)
        if report.outcome.notify and (opened or not self._breaker.open):
            self._notifier.notify(report, stopped=opened)
