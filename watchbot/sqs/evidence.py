"""Adds attributes to a message that a watcher gives up, and removes them for a replay.

SQS allows ten attributes. The message keeps its own attributes as far as there is room. The rest
travels in `watchbot.message`, as JSON, and `original` restores it. A replay has that attribute
alone, with the id of the first message, as each replay gets a new id.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from watchbot.sqs.message import LAST_MS, Attribute, Message
from watchbot.sqs.outgoing import clean

MAX_ATTRIBUTES = 10
TAIL_BYTES = 2048

REASON = "watchbot.reason"
EXIT_CODE = "watchbot.exit_code"
FINGERPRINT = "watchbot.fingerprint"
DURATION = "watchbot.duration"
TAIL = "watchbot.tail"
MESSAGE = "watchbot.message"
NAMES = frozenset({REASON, EXIT_CODE, FINGERPRINT, DURATION, TAIL, MESSAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The reason why a message was given up, and the message's own id and times.

    A dead letter has a new id and a new date in SQS. `exit_code` is None for an end by a signal.
    `tail` is the last 2 KB of output. `cpu_s` and `memory_bytes` are what the last run used, None
    where that is not known. `replay_of` is the id of the first message that this one
    was replayed from, if it was.
    """

    reason: str
    fingerprint: str
    duration_s: float
    cpu_s: float | None = None
    memory_bytes: int | None = None
    exit_code: int | None = None
    tail: str = ""
    message_id: str
    sent_ms: int | None
    receives: int
    replay_of: str | None = None


def attested(attributes: Mapping[str, Attribute], evidence: Evidence) -> dict[str, Attribute]:
    """A message's attributes and the evidence, together at most ten attributes."""
    about: dict[str, object] = {
        "id": evidence.message_id,
        "sent": evidence.sent_ms,
        "receives": evidence.receives,
        "cpu_s": evidence.cpu_s,
        "memory_bytes": evidence.memory_bytes,
        **({} if evidence.replay_of is None else {"first": evidence.replay_of}),
    }
    noted = {
        REASON: _text(evidence.reason),
        FINGERPRINT: _text(evidence.fingerprint),
        DURATION: Attribute(type="Number", value=f"{evidence.duration_s:.3f}"),
    }
    if evidence.exit_code is not None:
        noted[EXIT_CODE] = Attribute(type="Number", value=str(evidence.exit_code))
    if tail := _end(evidence.tail):
        noted[TAIL] = _text(tail)
    return _together(attributes, noted, about)


def carried(message: Message) -> dict[str, Attribute]:
    """The attributes of a replay: those of the message, and the id of the first one."""
    return _together(message.attributes, {}, {"first": message.first_id})


def _together(
    attributes: Mapping[str, Attribute], noted: dict[str, Attribute], about: dict[str, object]
) -> dict[str, Attribute]:
    room = MAX_ATTRIBUTES - len(noted) - 1
    names = list(attributes)
    if names[room:]:
        about = {**about, "attributes": {name: asdict(attributes[name]) for name in names[room:]}}
    noted = {**noted, MESSAGE: _text(json.dumps(about))}
    return {**{name: attributes[name] for name in names[:room]}, **noted}


def read(message: Message) -> Evidence | None:
    """The evidence in a message's attributes; None if there is none, or none that is readable.

    Any sender may have written it: a number that nobody can have measured is left out.
    """
    noted = {name: message.attributes[name].value for name in NAMES & message.attributes.keys()}
    about = _about(message)
    try:
        return Evidence(
            reason=noted[REASON],
            fingerprint=noted[FINGERPRINT],
            duration_s=_number(float(noted[DURATION])) or 0.0,
            exit_code=_whole(int(noted[EXIT_CODE])) if EXIT_CODE in noted else None,
            tail=noted.get(TAIL, ""),
            message_id=str(about["id"]),
            sent_ms=_whole(about["sent"]),
            receives=_whole(about["receives"]) or 1,
            cpu_s=_number(about.get("cpu_s")),
            memory_bytes=_whole(about.get("memory_bytes")),
            replay_of=_id(about.get("first")),
        )
    except (KeyError, ValueError):
        return None


def original(message: Message) -> Message:
    """The message with only its own attributes, without evidence, and with `replay_of`."""
    if not NAMES & message.attributes.keys():
        return message
    own = {name: item for name, item in message.attributes.items() if name not in NAMES}
    about = _about(message)
    first_id = _id(about.get("first")) or _id(about.get("id"))
    return replace(message, attributes={**own, **_folded(about)}, replay_of=first_id)


def _about(message: Message) -> dict[str, Any]:
    try:
        about = json.loads(message.attributes[MESSAGE].value)
    except (KeyError, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _folded(about: Mapping[str, Any]) -> dict[str, Attribute]:
    try:
        return {
            str(name): Attribute(type=str(item["type"]), value=str(item["value"]))
            for name, item in about.get("attributes", {}).items()
        }
    except (AttributeError, KeyError, TypeError):  # not written by watchbot
        return {}


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and 0 <= value <= LAST_MS:  # which NaN is not
        return float(value)
    return None


def _whole(value: object) -> int | None:
    """A count, a size or a time in milliseconds; None for what is none of these."""
    return value if isinstance(value, int) and 0 <= value <= LAST_MS else None


def _id(value: object) -> str | None:
    """The id of a message, where the value looks like one: any sender may have written it."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w-]{1,100}", value, re.A) else None


def _text(value: str) -> Attribute:
    return Attribute(type="String", value=clean(value))


def _end(tail: str) -> str:
    return tail.encode(errors="replace")[-TAIL_BYTES:].decode(errors="ignore").strip("\n")
