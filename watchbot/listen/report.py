"""What is known of a run, and what became of each of its messages."""

import hashlib
import re
from dataclasses import dataclass

from watchbot.listen.care import Ending
from watchbot.outcome import Outcome
from watchbot.settings.values import Envelope
from watchbot.sqs.envelope import Content, open_envelope
from watchbot.sqs.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command, for one or more messages."""

    id: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a runner says of one message.

    `ending` is None where the command did not run to an end of its own, and `run` is None where it
    was not tried. `tail` is the last output.
    """

    outcome: Outcome
    ending: Ending | None = None
    reason: str | None = None
    run: Run | None = None
    tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one message, in one delivery.

    `ending`, `reason`, `run` and `tail` are those of the verdict. `pause_s` is how long the message
    waits in the queue where it goes back.
    """

    message: Message
    content: Content
    outcome: Outcome
    ending: Ending | None
    reason: str | None = None
    run: Run | None = None
    tail: str = ""
    pause_s: int = 0

    @property
    def duration_s(self) -> float:
        """Seconds that the run took; 0 where there was none."""
        return self.run.duration_s if self.run else 0.0

    @property
    def how(self) -> str:
        """How the run ended, in words."""
        return self.reason or str(self.ending)

    @property
    def fingerprint(self) -> str:
        """A key that failures which look alike share: the ending and the last line, no numbers."""
        last = self.tail.strip().rpartition("\n")[2]
        masked = re.sub(r"\b(0x)?[0-9a-f]*\d[0-9a-f-]*\b", "#", last.lower())
        return hashlib.sha256(f"{self.how}|{masked}".encode(errors="replace")).hexdigest()[:16]


def reported(message: Message, content: Content, verdict: Verdict) -> Report:
    """The report of a message whose run gave this verdict."""
    return Report(
        message=message,
        content=content,
        outcome=verdict.outcome,
        ending=verdict.ending,
        reason=verdict.reason,
        run=verdict.run,
        tail=verdict.tail,
    )


def not_run(
    message: Message, outcome: Outcome, reason: str, *, envelope: Envelope = "open"
) -> Report:
    """The report of a message for which the command did not run."""
    verdict = Verdict(outcome=outcome, reason=reason)
    return reported(message, open_envelope(message, envelope), verdict)
