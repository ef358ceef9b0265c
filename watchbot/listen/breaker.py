"""Stops a watcher whose messages all fail in one way, before each message loses its receives."""

import logging

from watchbot import metrics
from watchbot.listen.report import Report
from watchbot.outcome import COMPLETED
from watchbot.sqs.valve import Valve
from watchbot.world import REAL, World

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0

log = logging.getLogger(__name__)


class Breaker:
    """Opens when `limit` messages in a row, in `limit` runs, fail with one fingerprint.

    After the first success it never opens: the deployment works, and messages fail one by one.
    While the breaker is open, the watcher tries one message after each `pause_s`. Each failure
    doubles the pause; a success closes the breaker. With `limit` 0 the breaker never opens.
    """

    def __init__(self, limit: int, valve: Valve, world: World = REAL) -> None:
        self._limit, self._valve, self._world = limit, valve, world
        self._succeeded = False
        self._alike: set[str] = set()
        self._runs: set[str] = set()
        self._fingerprint: str | None = None
        self._tried_at = 0.0
        self._opened_by: Report | None = None
        self.open = False
        self.pause_s = FIRST_PAUSE_S

    @property
    def trouble(self) -> str | None:
        """The reason why the watcher receives almost nothing, or None."""
        return "the breaker is open: every message failed alike" if self.open else None

    def was_opened_by(self, report: Report) -> bool:
        """Whether this report is the failure that opened the breaker."""
        return report is self._opened_by

    def observe(self, report: Report) -> None:
        """Opens or closes the breaker, or doubles its pause, according to the report."""
        if report.outcome is COMPLETED and report.ending is not None:
            self._succeed()
        elif report.outcome.failed and not self._succeeded and self._limit:
            self._fail(report)

    def _succeed(self) -> None:
        self._succeeded = True
        if self.open:
            self.open = False
            metrics.breaker_open.set(False)
            self._valve.narrow(None)
            log.info("breaker closed")

    def _fail(self, report: Report) -> None:
        if self.open and report.message.asked_at < self._tried_at:
            return  # received before the breaker opened: says nothing about the next message
        self._tried_at = self._world.now()
        if self.open:
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
            self._stop_receiving()
            return
        if report.fingerprint != self._fingerprint:
            self._fingerprint, self._alike, self._runs = report.fingerprint, set(), set()
        self._alike.add(report.message.id)
        self._runs.add(report.run.id if report.run else report.message.id)
        if min(len(self._alike), len(self._runs)) >= self._limit:
            self.open, self._opened_by = True, report
            self._stop_receiving()

    def _stop_receiving(self) -> None:
        metrics.breaker_open.set(True)
        self._valve.narrow(1)
        self._valve.hold(self.pause_s)
        log.error("breaker open", extra={"pause_s": self.pause_s})
