"""Says where a message is now, and why, from the last that is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchbot.deadletter.letter import sent_ms
from watchbot.explain.tries import Try
from watchbot.sqs.evidence import Evidence, read
from watchbot.sqs.message import Message, timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The message as it is in a dead-letter queue."""

    queue: str
    message: Message

    @property
    def evidence(self) -> Evidence | None:
        """What the watcher that gave it up has noted."""
        return read(self.message)

    @property
    def sent_ms(self) -> int | None:
        """When the message was first sent."""
        return sent_ms(self.message, self.evidence)


def whereabouts(tries: Sequence[Try], letter: Letter | None) -> str:
    """One sentence, of which each part is known from a line or from the letter."""
    if letter is not None:
        return _of_letter(letter)
    if not tries:
        return "nothing is known of it here"
    last = tries[-1]
    if last.buried:
        return "in the dead-letter queue, or replayed from there: its watcher gave it up"
    if last.outcome is None:
        return (
            "in hand of that watcher; or, if it died, in the queue again once its visibility "
            "timeout is over"
        )
    ending = last.facts.get("ending", "")
    if last.outcome in ("completed", "rejected"):
        return f"deleted, as it was {last.outcome}: {ending}"
    if last.outcome == "released":
        if "lease lost" in ending:
            return "elsewhere: its lease was lost, and another watcher may have received it"
        return f"in the queue, visible at once: {ending}"
    return f"in the queue{_visible_from(last)}: {ending}"


def _of_letter(letter: Letter) -> str:
    evidence = letter.evidence
    if evidence is None:
        return (
            f"in the dead-letter queue {letter.queue}: SQS has put it there, after more receives "
            "than its redrive policy allows"
        )
    return (
        f"in the dead-letter queue {letter.queue}: given up by its watcher at receive "
        f"{evidence.receives}, after {evidence.reason}"
    )


def _visible_from(last: Try) -> str:
    pause_s = last.facts.get("pause_s", "")
    if last.ended_at is None or not pause_s.isdigit():
        return ""
    return f", visible from {timestamp(int((last.ended_at + int(pause_s)) * 1000))} on"
