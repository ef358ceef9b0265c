"""Who hears what became of each message. An observer is one file, and one line in `service`."""

import logging
from collections.abc import Sequence
from typing import Protocol

from watchbot.listen.report import Report

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears what became of each message. Observers know nothing of each other."""

    def observe(self, report: Report) -> None:
        """Takes in a report. Returns at once; what takes time goes on in the background."""


class Observers:
    """Tells each observer of each report: once, in the order in which they were given.

    A report is told when it is final, and before the message is deleted or hidden: a queue that
    does not answer holds up no line of the log. An observer that raises is logged; the others are
    told all the same, and the message is settled.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def observe(self, report: Report) -> None:
        """Tells all observers."""
        for observer in self._observers:
            try:
                observer.observe(report)
            except Exception:
                facts = {"message_id": report.message.id, "observer": type(observer).__name__}
                log.exception("an observer failed", extra=facts)
