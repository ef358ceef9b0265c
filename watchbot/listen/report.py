"""Describes a run, and what became of each of its messages."""

import hashlib
import re
from dataclasses import dataclass

from watchbot.listen.care import Ending
from watchbot.listen.usage import Usage
from watchbot.outcome import Outcome
from watchbot.settings.values import Envelope
from watchbot.sqs.envelope import Content, open_envelope
from watchbot.sqs.message import Message

UNKNOWN = Usage()
MAX_REASON = 500  # characters: a reason is in a line of the log, and in the subject of a notice
# A word of hexadecimal digits. A worker may print one of any length, and the event loop waits for
# this search: so the first digit alone splits it, and no other split is tried.
_NUMBER = re.compile(r"\b(0x)?[a-f]*\d[0-9a-f-]*\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command, for one or more messages."""

    id: str
    duration_s: float
    usage: Usage = UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A runner's result for one message.

    `ending` is None if the command did not end by itself, and `run` is None if the command did not
    start. `tail` is the last output. `retry_after_s` is the worker's wish: the seconds until a
    returned message is visible again.
    """

    outcome: Outcome
    ending: Ending | None = None
    reason: str | None = None
    run: Run | None = None
    tail: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one message, in one delivery.

    `ending`, `reason`, `run`, `tail` and `retry_after_s` come from the verdict. `pause_s` is how
    long a returned message stays invisible in the queue.
    """

    message: Message
    content: Content
    outcome: Outcome
    ending: Ending | None
    reason: str | None = None
    run: Run | None = None
    tail: str = ""
    retry_after_s: float | None = None
    pause_s: int = 0

    @property
    def duration_s(self) -> float:
        """Seconds that the run took; 0 without a run."""
        return self.run.duration_s if self.run else 0.0

    @property
    def usage(self) -> Usage:
        """What the run has used; nothing is known without a run."""
        return self.run.usage if self.run else UNKNOWN

    @property
    def how(self) -> str:
        """How the run ended, in words; on one line, as they may be a worker's or a sender's."""
        return one_line(self.reason or "") or str(self.ending)

    @property
    def fingerprint(self) -> str:
        """A hash of the ending, and of reason and last line without numbers.

        Similar failures share it.
        """
        last = self.tail.strip().rpartition("\n")[2]
        ending = f"{self.ending}|{_masked(self.how)}" if self.reason else self.how
        return hashlib.sha256(f"{ending}|{_masked(last)}".encode(errors="replace")).hexdigest()[:16]


def one_line(text: str) -> str:
    """The text on one line, cut to the length of a reason."""
    line = " ".join(text[: 10 * MAX_REASON].split())
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"


def _masked(words: str) -> str:
    return _NUMBER.sub("#", words.lower())


def reported(message: Message, content: Content, verdict: Verdict) -> Report:
    """A report of the message with this verdict."""
    return Report(
        message=message,
        content=content,
        outcome=verdict.outcome,
        ending=verdict.ending,
        reason=verdict.reason,
        run=verdict.run,
        tail=verdict.tail,
        retry_after_s=verdict.retry_after_s,
    )


def not_run(
    message: Message, outcome: Outcome, reason: str, *, envelope: Envelope = "open"
) -> Report:
    """A report of a message for which the command did not run."""
    verdict = Verdict(outcome=outcome, reason=reason)
    return reported(message, open_envelope(message, envelope), verdict)
