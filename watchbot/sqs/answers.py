"""Checks the answers of SQS and SNS: keeps readable messages, finds each entry's verdict."""

import base64
import binascii
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchbot import metrics
from watchbot.sqs.message import NOWHERE, Attribute, Message, Origin

MAX_DIGITS = 9  # a longer number is no count

_NUMBERS = {
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
}
_DOCUMENTS = {"Policy", "RedriveAllowPolicy", "RedrivePolicy"}

log = logging.getLogger(__name__)


class UnreadableMessage(Exception):
    """A message lacks a required field; the text names the field."""


@dataclass(frozen=True, slots=True)
class EntryAnswer:
    """The result of one entry of a batch: whether SQS did it, and the entry in the answer."""

    done: bool
    entry: Mapping[str, Any]


def readable(raw: Sequence[Any], asked_at: float, origin: Origin) -> list[Message]:
    """The readable messages of a receive; logs and counts the unreadable ones.

    An unreadable message stays hidden for its visibility timeout. After enough receives the queue's
    redrive policy moves it.
    """
    messages: list[Message] = []
    for one in raw:
        try:
            messages.append(message_of(one, asked_at, origin))
        except UnreadableMessage as problem:
            _complain(one, str(problem), origin.name)
    return messages


def _complain(raw: Any, reason: str, queue: str) -> None:
    metrics.unreadable.labels(queue).inc()
    name = raw.get("MessageId") if isinstance(raw, Mapping) else None
    known = {"message_id": name} if isinstance(name, str) else {}
    log.error("message cannot be read", extra={**known, "reason": reason, "queue": queue})


def verdicts(count: int, answer: Mapping[str, Any]) -> list[EntryAnswer | None]:
    """An answer for each of `count` entries, whose ids are their indexes; None without an answer.

    An entry that is in neither list, or in both, has no answer, so that nobody takes it for done.
    """
    found: list[list[EntryAnswer]] = [[] for _ in range(count)]
    for name, done in (("Successful", True), ("Failed", False)):
        for entry in answer.get(name) or ():
            index = entry.get("Id") if isinstance(entry, Mapping) else None
            if isinstance(index, str) and _is_count(index) and int(index) < count:
                found[int(index)].append(EntryAnswer(done, entry))
    return [each[0] if len(each) == 1 else None for each in found]


def facts_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a queue, without malformed ones."""
    given = answer.get("Attributes") or {}
    facts = {name: str(value) for name, value in given.items() if _is_plain(value)}
    return {name: text for name, text in facts.items() if _fits(name, text)}


def tags_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a queue, without malformed ones."""
    given = answer.get("Tags") or {}
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _fits(name: str, text: str) -> bool:
    if name in _NUMBERS:
        return _is_count(text)
    return name not in _DOCUMENTS or _is_object(text)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text or "{}"), dict)
    except (ValueError, RecursionError):
        return False


def message_of(raw: Any, asked_at: float, origin: Origin = NOWHERE) -> Message:
    """The message of an entry in the answer of a receive. Raises `UnreadableMessage`."""
    if not isinstance(raw, Mapping):
        raise UnreadableMessage("it is no object")
    return Message(
        id=_text(raw, "MessageId"),
        receipt=_text(raw, "ReceiptHandle"),
        body=_text(raw, "Body", may_be_empty=True),
        asked_at=asked_at,
        origin=origin,
        system=_system(raw.get("Attributes", {})),
        attributes={
            name: _attribute(name, item) for name, item in raw.get("MessageAttributes", {}).items()
        },
    )


def _text(raw: Mapping[str, Any], name: str, *, may_be_empty: bool = False) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not (value or may_be_empty):
        raise UnreadableMessage(f"it has no {name}")
    return value


def _system(given: Mapping[str, Any]) -> dict[str, str]:
    for name, value in given.items():
        if not _is_plain(value):
            raise UnreadableMessage(f"its attribute {name} is no text")
    system = {name: str(value) for name, value in given.items()}
    if not _is_count(system.get("ApproximateReceiveCount", "1")):
        raise UnreadableMessage("its ApproximateReceiveCount is no number")
    return system


def _attribute(name: str, item: Any) -> Attribute:
    if not isinstance(item, Mapping) or not isinstance(item.get("DataType"), str):
        raise UnreadableMessage(f"its attribute {name} has no type")
    if "BinaryValue" in item:
        return Attribute(type=item["DataType"], value=_base64(name, item["BinaryValue"]))
    return Attribute(type=item["DataType"], value=item.get("StringValue", ""))


def _base64(name: str, value: Any) -> str:
    try:
        return base64.b64encode(value).decode()
    except (TypeError, binascii.Error):
        raise UnreadableMessage(f"its attribute {name} is not binary") from None


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
