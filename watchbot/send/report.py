"""Reports on sent messages: ids to standard output, failures to standard error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from watchbot.errors import OutputFailed
from watchbot.sqs.destination import Result
from watchbot.sqs.outgoing import Unsent


@dataclass(slots=True)
class _Run:
    """Consecutive lines that were not sent for one reason."""

    first: int
    last: int
    reason: Unsent


class SendReport:
    """Writes the result of each message; consecutive equal refusals share one line."""

    def __init__(self, *, out: TextIO | None, say: Callable[[str], None], numbered: bool) -> None:
        self._out, self._say, self._numbered = out, say, numbered
        self._run: _Run | None = None
        self.unwritten: OutputFailed | None = None  # why no more ids are written
        self.sent = 0
        self.unsent = 0
        self._last = 0

    def add(self, number: int, result: Result) -> None:
        """Adds the result of the message in line `number`."""
        self._last = number
        if isinstance(result, Unsent):
            self.unsent += 1
            self._extend(number, result)
        else:
            self.sent += 1
            self.flush()
            self._write(result)

    def flush(self) -> None:
        """Writes the refusals that were held back to share a line."""
        run, self._run = self._run, None
        if run is None:
            return
        where = f"line {run.first}" if run.first == run.last else f"lines {run.first}-{run.last}"
        reason = f"{run.reason.code}: {run.reason.text}"
        self._say(f"{where}: {reason}" if self._numbered else f"not sent: {reason}")

    @property
    def exit_code(self) -> int:
        """0 when all messages were sent and their ids written, else 1."""
        return 1 if self.unsent or self.unwritten else 0

    def break_off(self) -> None:
        """Says which line was the last, when an error ends the sending."""
        self.flush()
        if self._last:
            self._say(f"nothing after line {self._last} was sent")

    def conclude(self, blank: int) -> None:
        """Writes held-back refusals, and counts of skipped lines and unsent messages."""
        self.flush()
        if blank:
            self._say(f"blank lines skipped: {blank:,}")
        if self.unsent and self._numbered:
            self._say(f"{self.unsent:,} of {self.unsent + self.sent:,} messages were not sent")

        if self.unwritten:
            self._say(f"{self.sent:,} messages were sent; their ids: {self.unwritten}")

    def _write(self, message_id: str) -> None:
        if not self._out or self.unwritten:
            return
        try:
            self._out.write(message_id + "\n")
            self._out.flush()
        except OutputFailed as fault:  # go on: sending is what the user asked for
            self.unwritten = fault

    def _extend(self, number: int, reason: Unsent) -> None:
        run = self._run
        if run and run.last + 1 == number and run.reason == reason:
            run.last = number
            return
        self.flush()
        self._run = _Run(number, number, reason)
