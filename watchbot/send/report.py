"""The account of a command: ids to standard output, what was not sent to standard error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from watchbot.errors import OutputFailed
from watchbot.sqs.destination import Result
from watchbot.sqs.outgoing import Unsent


@dataclass(slots=True)
class _Run:
    """Lines that follow each other and were not sent for one and the same reason."""

    first: int
    last: int
    reason: Unsent


class Report:
    """Writes what becomes of each message; a run of alike refusals is one line, not thousands."""

    def __init__(self, *, out: TextIO | None, say: Callable[[str], None], numbered: bool) -> None:
        self._out, self._say, self._numbered = out, say, numbered
        self._run: _Run | None = None
        self.unwritten: OutputFailed | None = None  # why no more ids are written
        self.sent = 0
        self.unsent = 0
        self._last = 0

    def add(self, number: int, result: Result) -> None:
        """Takes in what became of the message in line `number`."""
        self._last = number
        if isinstance(result, Unsent):
            self.unsent += 1
            self._extend(number, result)
        else:
            self.sent += 1
            self.flush()
            self._write(result)

    def flush(self) -> None:
        """Says what was held back because more of the same might follow."""
        run, self._run = self._run, None
        if run is None:
            return
        where = f"line {run.first}" if run.first == run.last else f"lines {run.first}-{run.last}"
        reason = f"{run.reason.code}: {run.reason.text}"
        self._say(f"{where}: {reason}" if self._numbered else f"not sent: {reason}")

    @property
    def exit_code(self) -> int:
        """0 when all was sent and told, else 1."""
        return 1 if self.unsent or self.unwritten else 0

    def break_off(self) -> None:
        """Says how far it came, where an error ends the sending."""
        self.flush()
        if self._last:
            self._say(f"nothing after line {self._last} was sent")

    def conclude(self, blank: int) -> None:
        """Says what is left to say at the end: also how much was not sent, and was skipped."""
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
        except OutputFailed as fault:  # what is asked for is to send; the rest is sent
            self.unwritten = fault

    def _extend(self, number: int, reason: Unsent) -> None:
        run = self._run
        if run and run.last + 1 == number and run.reason == reason:
            run.last = number
            return
        self.flush()
        self._run = _Run(number, number, reason)
