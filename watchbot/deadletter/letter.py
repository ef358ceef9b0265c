"""A dead letter, as people and programs are shown it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from watchbot.settings.values import Envelope
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.evidence import Evidence, original, read
from watchbot.sqs.message import Message, timestamp

TEXT_CHARACTERS = 80
COLUMNS = f"{'ID':36}  {'SENT':24}  {'RECEIVES':>8}  {'REASON':24}  {'FINGERPRINT':16}  TEXT"


def summary(message: Message, envelope: Envelope = "open") -> dict[str, Any]:
    """What `list` tells of it."""
    evidence = read(message)
    content = open_envelope(message, envelope)
    sent = sent_ms(message, evidence)
    return {
        "id": message.id,
        "sent": timestamp(sent) if sent is not None else None,
        "receives": evidence.receives if evidence else message.receives,
        "reason": evidence.reason if evidence else None,
        "fingerprint": evidence.fingerprint if evidence else None,
        "group": message.group,
        "text": " ".join(content.body.split())[:TEXT_CHARACTERS],
    }


def everything(message: Message, envelope: Envelope = "open") -> dict[str, Any]:
    """All there is to know of it. `body` is as the queue has it, `message` as its sender meant."""
    evidence = read(message)
    own = original(message)
    content = open_envelope(own, envelope)
    return {
        **summary(message, envelope),
        "exit_code": evidence.exit_code if evidence else None,
        "duration": evidence.duration_s if evidence else None,
        "tail": evidence.tail if evidence else None,
        "original_id": origin(message),
        "subject": content.subject or None,
        "message": content.body,
        "body": own.body,
        "attributes": {name: asdict(item) for name, item in own.attributes.items()},
        "system": dict(message.system),
    }


def origin(message: Message) -> str:
    """The id under which workers knew it: what a watcher gave up has a new one."""
    evidence = read(message)
    return evidence.message_id if evidence else message.id


def ids_of(message: Message) -> set[str]:
    """The ids by which it may be called: its own, and the one in the workers' logs."""
    return {message.id, origin(message)}


def sent_ms(message: Message, evidence: Evidence | None) -> int | None:
    """When it was sent to the queue it came from, in milliseconds since 1970."""
    return message.sent_ms if evidence is None else evidence.sent_ms


def line(facts: Mapping[str, Any]) -> str:
    """One line of `list`, from a `summary`."""
    reason = facts["reason"] or "-"
    return visible(
        f"{facts['id']:36}  {facts['sent'] or '-':24}  {facts['receives']:>8}  {reason:24}  "
        f"{facts['fingerprint'] or '-':16}  {facts['text']}"
    )


def page(facts: Mapping[str, Any]) -> str:
    """`everything`, for a person."""
    names = ("id", "original_id", "sent", "receives", "group", "reason", "duration", "fingerprint")
    lines = [f"{name}: {facts[name]}" for name in names if facts[name] is not None]
    lines += [f"attribute {name}: {item['value']}" for name, item in facts["attributes"].items()]
    if facts["subject"]:
        lines.append(f"subject: {facts['subject']}")
    parts = [*map(visible, lines), "", visible(facts["message"], keep="\n\t")]
    if facts["tail"]:
        parts += ["", "Last output:", visible(facts["tail"], keep="\n\t")]
    return "\n".join(parts)


def as_json(facts: Mapping[str, Any]) -> str:
    """One line of JSON."""
    return json.dumps(facts, ensure_ascii=False)


def visible(text: str, keep: str = "") -> str:
    """The text without what would move a terminal's cursor, or colour it."""
    return "".join(
        letter if letter.isprintable() or letter in keep else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
