"""Chooses dead letters by ids and options."""

import re
import time
from collections.abc import Collection
from dataclasses import dataclass

from watchbot.deadletter.letter import ids_of, sent_ms
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.settings.values import Envelope
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.evidence import NAMES, original, read
from watchbot.sqs.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A filter: messages with one of the ids that meet every option."""

    ids: frozenset[str]
    pattern: str | None
    attributes: Collection[tuple[str, str]]
    sent_before_ms: float | None
    envelope: Envelope = "open"

    @property
    def every(self) -> bool:
        """Whether the filter takes every message."""
        return not (self.ids or self.pattern or self.attributes or self.sent_before_ms)

    def takes(self, message: Message) -> bool:
        """Whether the filter takes this message."""
        return (
            (not self.ids or bool(self.ids & ids_of(message)))
            and (self.pattern is None or self._matches(message, self.pattern))
            and all(self._value(message, name) == value for name, value in self.attributes)
            and (self.sent_before_ms is None or self._is_old(message, self.sent_before_ms))
        )

    def _matches(self, message: Message, pattern: str) -> bool:
        content = open_envelope(message, self.envelope)
        return bool(re.search(pattern, content.subject) or re.search(pattern, content.body))

    def _is_old(self, message: Message, before_ms: float) -> bool:
        sent = sent_ms(message, read(message))
        return sent is not None and sent < before_ms

    def _value(self, message: Message, name: str) -> str | None:
        """The value of an attribute: a watcher's note, the message's own, or its SNS envelope's."""
        if name in NAMES:
            attribute = message.attributes.get(name)
        else:
            attribute = open_envelope(original(message), self.envelope).attributes.get(name)
        return attribute.value if attribute else None


def selected(settings: DeadLetterSettings, ids: Collection[str]) -> Selection:
    """The filter of these options and ids; `older_than` counts from now."""
    pairs = [pair.partition("=") for pair in settings.attribute]
    older_s = settings.older_than
    return Selection(
        ids=frozenset(ids),
        pattern=settings.match,
        attributes=[(name, value) for name, _, value in pairs],
        envelope=settings.envelope,
        sent_before_ms=None if older_s is None else (time.time() - older_s) * 1000,
    )
