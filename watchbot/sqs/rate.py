"""Limits how often a consumer starts a run: `--rate`."""

import math

from watchbot import metrics
from watchbot.world import REAL, World

SLACK = 1e-9  # a sum of fractions may fall short of its whole number


class Rate:
    """A token bucket: each run takes a token, of which `per_s` come a second.

    The bucket holds as many as come in a second, and at least one. A run takes up to `batch`
    messages. The intake receives no more messages than may run at once. Messages that run apart
    against expectation, of different FIFO groups for example, wait in hand for their tokens.
    """

    def __init__(self, per_s: float = math.inf, *, batch: int = 1, world: World = REAL) -> None:
        self._per_s, self._batch, self._now = per_s, batch, world.now
        self._most = max(1.0, per_s)
        self._tokens, self._counted_at = self._most, world.now()
        self._waiting = 0  # messages in hand that have not run

    @property
    def room(self) -> float:
        """How many more messages may be in hand, as far as the rate goes."""
        if self._per_s == math.inf:
            return math.inf
        return math.floor(self._counted() + SLACK) * self._batch - self._waiting

    @property
    def due_in_s(self) -> float:
        """Seconds until another run may start; 0 if one may start now."""
        missing = 1 - self._counted()
        return missing / self._per_s if missing > SLACK else 0.0

    @property
    def next_in_s(self) -> float | None:
        """Seconds until there is one token more; None if that never happens."""
        tokens = self._counted()
        if self._per_s == math.inf or tokens >= self._most:
            return None
        return (math.floor(tokens + SLACK) + 1 - tokens) / self._per_s

    def came(self, messages: int) -> None:
        """Notes that messages are in hand."""
        self._waiting += messages

    def left(self, messages: int) -> None:
        """Notes that messages have left without a run."""
        self._waiting -= messages

    def run(self, messages: int) -> None:
        """Takes the token of a run with these messages."""
        self._waiting -= messages
        if self._per_s < math.inf:
            self._tokens = self._counted() - 1

    def waited(self, seconds: float) -> None:
        """Counts time in which the rate alone kept messages from being received."""
        metrics.rate_wait.inc(seconds)

    def _counted(self) -> float:
        moment = self._now()
        if self._per_s < math.inf:
            came = (moment - self._counted_at) * self._per_s
            self._tokens, self._counted_at = min(self._most, self._tokens + came), moment
        return self._tokens
