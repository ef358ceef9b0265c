"""Forms of a dead letter for people and programs."""

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
    """The facts that `list` prints of a message."""
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
    """All facts about a message; `body` is the queue's, `message` is unwrapped from SNS."""
    evidence = read(message)
    own = original(message)
    content = open_envelope(own, envelope)
    return {
        **summary(message, envelope),
        "exit_code": evidence.exit_code if evidence else None,
        "duration": evidence.duration_s if evidence else None,
        "cpu_s": evidence.cpu_s if evidence else None,
        "memory_bytes": evidence.memory_bytes if evidence else None,
        "tail": evidence.tail if evidence else None,
        "original_id": origin(message),
        "subject": content.subject or None,
        "message": content.body,
        "body": own.body,
        "attributes": {name: asdict(item) for name, item in own.attributes.items()},
        "system": dict(message.system),
    }


def origin(message: Message) -> str:
    """The id that workers saw; a message moved by a watcher has a new id."""
    evidence = read(message)
    return evidence.message_id if evidence else message.id


def ids_of(message: Message) -> set[str]:
    """A message's own id, its id in the workers' logs, and the one before all replays."""
    return {message.id, origin(message), original(message).first_id}


def sent_ms(message: Message, evidence: Evidence | None) -> int | None:
    """The time at which its sender sent it, in milliseconds since 1970."""
    return message.sent_ms if evidence is None else evidence.sent_ms


def line(facts: Mapping[str, Any]) -> str:
    """The line of `list` for a `summary`."""
    reason = facts["reason"] or "-"
    return visible(
        f"{facts['id']:36}  {facts['sent'] or '-':24}  {facts['receives']:>8}  {reason:24}  "
        f"{facts['fingerprint'] or '-':16}  {facts['text']}"
    )


def page(facts: Mapping[str, Any]) -> str:
    """The page for a person, from `everything`."""
    names = (
        *("id", "original_id", "sent", "receives", "group", "reason", "duration"),
        *("cpu_s", "memory_bytes", "fingerprint"),
    )
    lines = [f"{name}: {facts[name]}" for name in names if facts[name] is not None]
    lines += [f"attribute {name}: {item['value']}" for name, item in facts["attributes"].items()]
    if facts["subject"]:
        lines.append(f"subject: {facts['subject']}")
    parts = [*map(visible, lines), "", visible(facts["message"], keep="\n\t")]
    if facts["tail"]:
        parts += ["", "Last output:", visible(facts["tail"], keep="\n\t")]
    return "\n".join(parts)


def as_json(facts: Mapping[str, Any]) -> str:
    """The facts as one line of JSON."""
    return json.dumps(facts, ensure_ascii=False)


def visible(text: str, keep: str = "") -> str:
    """The text with control characters replaced, but for those in `keep`."""
    return "".join(
        letter if letter.isprintable() or letter in keep else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
