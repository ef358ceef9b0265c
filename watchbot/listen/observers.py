"""Tells observers what became of each message. One is a file, and a line in `observing`."""

import logging
from collections.abc import Sequence
from typing import Protocol

from watchbot.listen.report import Report
from watchbot.sqs.message import about

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears what became of each message. Observers do not know each other."""

    def observe(self, report: Report) -> None:
        """Takes in a report, and returns at once; slow work belongs in the background."""


class Observers:
    """Passes each report to each observer once, in the order of the constructor's list.

    The watcher calls this when a report is final, before it deletes or hides the message: so no log
    line waits for a queue that does not answer. If an observer raises, the error is logged, the
    other observers still hear the report, and the watcher settles the message.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def observe(self, report: Report) -> None:
        """Passes the report to all observers."""
        for observer in self._observers:
            try:
                observer.observe(report)
            except Exception:
                facts = {**about(report.message), "observer": type(observer).__name__}
                log.exception("an observer failed", extra=facts)
