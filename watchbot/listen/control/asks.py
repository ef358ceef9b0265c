"""What a worker has asked for about one message, and what that makes of its verdict."""

from dataclasses import dataclass, replace

from watchbot.listen.report import Verdict
from watchbot.outcome import COMPLETED, FAILED, REJECTED, RETURNED

BY_ITSELF = (COMPLETED, REJECTED, RETURNED, FAILED)  # outcomes of runs that nobody ended
UNREASONED = "rejected by its worker"


@dataclass(slots=True)
class Asks:
    """The wishes for one message in one run.

    `rejected` holds the reason of a `reject`. `progress` is the last fraction that was told, and
    `told_at` when the log last said so, in seconds of the event loop. `resume` is the file with the
    checkpoint of an earlier run, and `stored` counts those that this one has stored.
    """

    retry_after_s: float | None = None
    rejected: str | None = None
    progress: float | None = None
    told_at: float | None = None
    resume: str | None = None
    stored: int = 0

    def amended(self, verdict: Verdict) -> Verdict:
        """The verdict with the worker's wishes. An answer's own `retryAfter` came later, and wins.

        A rejection counts only where the run ended by itself: what was ended from outside may
        have been wrong about its message.
        """
        if self.retry_after_s is not None and verdict.retry_after_s is None:
            verdict = replace(verdict, retry_after_s=self.retry_after_s)
        if self.rejected is None or verdict.ending is None or verdict.outcome not in BY_ITSELF:
            return verdict
        return replace(verdict, outcome=REJECTED, reason=self.rejected or UNREASONED)
