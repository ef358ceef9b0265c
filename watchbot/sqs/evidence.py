"""What a watcher notes on a message that it gives up: attributes, put on and taken off again.

SQS allows ten attributes. The message's own keep their places as far as these go; the rest of them
travel in `watchbot.message`, as JSON, and are put back by `original`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from watchbot.sqs.message import Attribute, Message
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
    """Why a message was given up, and what it was: a dead letter has an id and a date of its own.

    `exit_code` is None for an end by a signal, `tail` the last 2 KB of output.
    """

    reason: str
    fingerprint: str
    duration_s: float
    exit_code: int | None = None
    tail: str = ""
    message_id: str
    sent_ms: int | None
    receives: int


def attested(attributes: Mapping[str, Attribute], evidence: Evidence) -> dict[str, Attribute]:
    """A message's own attributes with the evidence beside them; ten at most."""
    about: dict[str, object] = {
        "id": evidence.message_id,
        "sent": evidence.sent_ms,
        "receives": evidence.receives,
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
    room = MAX_ATTRIBUTES - len(noted) - 1
    names = list(attributes)
    if names[room:]:
        about["attributes"] = {name: asdict(attributes[name]) for name in names[room:]}
    noted[MESSAGE] = _text(json.dumps(about))
    return {**{name: attributes[name] for name in names[:room]}, **noted}


def read(message: Message) -> Evidence | None:
    """What was noted on the message; None when nothing was, or nothing that can be read."""
    noted = {name: message.attributes[name].value for name in NAMES & message.attributes.keys()}
    about = _about(message)
    try:
        return Evidence(
            reason=noted[REASON],
            fingerprint=noted[FINGERPRINT],
            duration_s=float(noted[DURATION]),
            exit_code=int(noted[EXIT_CODE]) if EXIT_CODE in noted else None,
            tail=noted.get(TAIL, ""),
            message_id=str(about["id"]),
            sent_ms=about["sent"] if isinstance(about["sent"], int) else None,
            receives=int(about["receives"]),
        )
    except (KeyError, ValueError, TypeError):
        return None


def original(message: Message) -> Message:
    """The message with its own attributes alone, as they were before any were noted on it."""
    if not NAMES & message.attributes.keys():
        return message
    own = {name: item for name, item in message.attributes.items() if name not in NAMES}
    return replace(message, attributes={**own, **_folded(_about(message))})


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
    except (AttributeError, KeyError, TypeError):  # nobody of ours wrote that
        return {}


def _text(value: str) -> Attribute:
    return Attribute(type="String", value=clean(value))


def _end(tail: str) -> str:
    return tail.encode(errors="replace")[-TAIL_BYTES:].decode(errors="ignore").strip("\n")
