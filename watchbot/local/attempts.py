"""What a FIFO queue handed out for a ReceiveRequestAttemptId, which moto does not know."""

import copy
from contextvars import ContextVar
from typing import NamedTuple

from moto.sqs import models

from watchbot.sqs.backlog import Backlog, QueuedMessage, State
from watchbot.world import now

REMEMBERED_S = 300

asked_as: ContextVar[str | None] = ContextVar("asked_as", default=None)  # by the call in hand


class Attempts:
    """The receives of the last five minutes that have an id.

    Not safe for threads: the caller holds a lock.
    """

    def __init__(self, backlog: Backlog[models.Message]) -> None:
        self._backlog = backlog
        self._made: dict[str, Made] = {}  # the oldest first

    def note(self, attempt: str, taken: list[models.Message]) -> None:
        """Keeps what the attempt got."""
        entries = [self._backlog.find(message.id) for message in taken]
        held = [(entry, entry.note) for entry in entries if entry]
        self._made.pop(attempt, None)
        self._made[attempt] = Made(now(), held)

    def repeat(self, attempt: str, hidden_s: int) -> list[models.Message]:
        """What the attempt got, hidden anew for so long; nothing once any of it has changed."""
        while self._made and next(iter(self._made.values())).at <= now() - REMEMBERED_S:
            del self._made[next(iter(self._made))]
        self._backlog.return_due()
        made = self._made.get(attempt)
        if made is None or not all(_is_as_it_was(entry, note) for entry, note in made.held):
            return []
        for entry, _ in made.held:
            self._backlog.hide(entry, hidden_s)
        held = [(entry, entry.note) for entry, _ in made.held]
        self._made[attempt] = made._replace(held=held)
        return [copy.copy(entry.message) for entry, _ in held]


class Made(NamedTuple):
    """A receive: when it was, and the messages with the note of when each comes back."""

    at: float
    held: list[tuple[QueuedMessage[models.Message], int]]


def _is_as_it_was(entry: QueuedMessage[models.Message], note: int) -> bool:
    return entry.state is State.OUT and entry.note == note
