"""Stops a watcher whose every message fails alike, before it burns the receives of them all."""

from watchbot.lifecycle import now
from watchbot.listen.job import Report
from watchbot.listen.outcome import COMPLETED

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0


class Breaker:
    """Opens when so many different messages in a row fail alike, and none has succeeded.

    What has succeeded once since the start is no broken deployment, so the breaker never opens
    after that; its messages fail one by one. Open, `pause_s` says when to try one message: each
    one that fails doubles it, and one that succeeds closes the breaker. `limit` 0: never opens.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._succeeded = False
        self._alike: set[str] = set()
        self._fingerprint: str | None = None
        self._tried_at = 0.0
        self.open = False
        self.pause_s = FIRST_PAUSE_S

    def note(self, report: Report) -> bool:
        """Takes in how a job ended; whether that opened or closed it, or changed its pause."""
        if report.outcome is COMPLETED and report.ending is not None:
            return self._close()
        if report.outcome.failed and not self._succeeded and self._limit:
            return self._fail(report)
        return False

    def _close(self) -> bool:
        was_open = self.open
        self.open, self._succeeded = False, True
        return was_open

    def _fail(self, report: Report) -> bool:
        if self.open and report.message.asked_at < self._tried_at:
            return False  # it was in hand before: no news
        self._tried_at = now()
        if self.open:
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
            return True
        if report.fingerprint != self._fingerprint:
            self._fingerprint, self._alike = report.fingerprint, set()
        self._alike.add(report.message.id)
        self.open = len(self._alike) >= self._limit
        return self.open
