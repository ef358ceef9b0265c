"""Says in the log that a queue does not answer: at once, then seldom, and when it answers again."""

import logging
import math
from collections.abc import Callable

from watchbot.errors import AwsError

QUIET_S = 10  # between the first two lines; twice as long after each
MOST_QUIET_S = 60


class Outage:
    """The failures of one call in a row, as lines of a log.

    `during` is the line for a failure, `after` the line for the first success after it. A failure
    of another kind than the last one that was logged has its line at once. `queue` is the name
    of the queue, if the call is about one.
    """

    def __init__(
        self,
        log: logging.Logger,
        during: str,
        after: str,
        *,
        now: Callable[[], float],
        queue: str = "",
    ) -> None:
        self._log, self._during, self._after, self._now = log, during, after, now
        self._queue = {"queue": queue} if queue else {}
        self._failures, self._code = 0, ""
        self._quiet_s, self._quiet_until = 0.0, -math.inf

    @property
    def failures(self) -> int:
        """How often the call has failed since it last succeeded."""
        return self._failures

    def failed(self, error: AwsError) -> None:
        """Counts a failure."""
        self._failures += 1
        if error.code == self._code and self._now() < self._quiet_until:
            return
        self._quiet_s = (
            min(self._quiet_s * 2, MOST_QUIET_S) if error.code == self._code else QUIET_S
        )
        self._code, self._quiet_until = error.code, self._now() + self._quiet_s
        self._log.log(
            logging.WARNING if error.transient else logging.ERROR,
            self._during,
            extra={
                "code": error.code,
                "reason": error.text,
                "failures": self._failures,
                **self._queue,
            },
        )

    def over(self) -> None:
        """Ends the outage, if there was one."""
        if self._failures:
            self._log.info(self._after, extra={"failures": self._failures, **self._queue})
            self._failures, self._code = 0, ""
