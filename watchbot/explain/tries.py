"""Puts the lines about a message together to tries: from a receive to an outcome."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from watchbot import outcome
from watchbot.explain.line import Event

RECEIVED = "received"
BURIED = "dead letter sent"
LAST_WORDS = 3  # lines of output that a try keeps


@dataclass(slots=True)
class Try:
    """One delivery. `outcome` is None where no line tells its end; `facts` are of that line.

    `received_at` is None where its receive is not in the log. `notes` are other lines of the
    watcher about it, and `words` the last lines of its worker.
    """

    source: str
    received_at: float | None = None
    receives: str | None = None
    ended_at: float | None = None
    outcome: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_WORDS))

    @property
    def began_at(self) -> float:
        """When it was received, or, as far as is known, when it ended."""
        return self.received_at or self.ended_at or 0.0

    @property
    def buried(self) -> bool:
        """Whether the watcher gave the message up after it."""
        return any(note.startswith(BURIED) for note in self.notes)


def tries_of(events: Iterable[Event]) -> list[Try]:
    """The tries, in the order of their receives. The events of each source must be in order."""
    tries: list[Try] = []
    under_way: dict[str, Try] = {}
    last: dict[str, Try] = {}

    def begun(source: str) -> Try:
        tries.append(Try(source=source))
        under_way[source] = last[source] = tries[-1]
        return tries[-1]

    for event in events:
        known = under_way.get(event.source)
        if event.who == "watcher" and event.text == RECEIVED:
            known = begun(event.source)
            known.received_at, known.receives = event.at, event.facts.get("receives")
        elif event.who == "watcher" and event.text in outcome.NAMES:
            known = known or begun(event.source)
            known.outcome, known.ended_at, known.facts = event.text, event.at, event.facts
            known.receives = known.receives or event.facts.get("receives")
            under_way.pop(event.source, None)
        else:
            _add(known or last.get(event.source) or begun(event.source), event)
    return sorted(tries, key=lambda each: each.began_at)


def _add(known: Try, event: Event) -> None:
    if event.who == "worker":
        known.words.append(event.text)
        return
    reason = event.facts.get("reason")
    known.notes.append(f"{event.text}: {reason}" if reason else event.text)
