"""Remembers a FIFO queue's answer to each ReceiveRequestAttemptId, which moto ignores."""

import copy
from contextvars import ContextVar
from typing import NamedTuple

from moto.sqs import models

from watchbot.sqs.backlog import Backlog, QueuedMessage, State
from watchbot.world import now

REMEMBERED_S = 300

asked_as: ContextVar[str | None] = ContextVar("asked_as", default=None)  # the call's attempt id


class Attempts:
    """Receives of the last five minutes, by attempt id.

    Not thread-safe: the caller must hold a lock.
    """

    def __init__(self, backlog: Backlog[models.Message]) -> None:
        self._backlog = backlog
        self._made: dict[str, Made] = {}  # the oldest first

    def note(self, attempt: str, taken: list[models.Message]) -> None:
        """Stores the messages that the attempt got."""
        entries = [self._backlog.find(message.id) for message in taken]
        held = [(entry, entry.note) for entry in entries if entry]
        self._made.pop(attempt, None)
        self._made[attempt] = Made(now(), held)

    def repeat(self, attempt: str, hidden_s: int) -> list[models.Message]:
        """The attempt's messages, hidden again for `hidden_s`; none if one of them has changed."""
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
    """A receive: its time, and its messages, each with the note of its return."""

    at: float
    held: list[tuple[QueuedMessage[models.Message], int]]


def _is_as_it_was(entry: QueuedMessage[models.Message], note: int) -> bool:
    return entry.state is State.OUT and entry.note == note
