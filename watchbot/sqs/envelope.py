"""Takes the sender's text out of the envelope that may be around it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from watchbot.settings.values import Envelope
from watchbot.sqs.message import Attribute, Message

# https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
_REQUIRED = {"TopicArn", "MessageId", "Message"}
_OF_SNS = {
    *_REQUIRED,
    "Type",
    "Subject",
    "Timestamp",
    "SignatureVersion",
    "Signature",
    "SigningCertURL",
    "UnsubscribeURL",
    "MessageAttributes",
    "SequenceNumber",
}
_SIGNED = {"Timestamp", "SignatureVersion", "Signature", "SigningCertURL"}
_BARE = {"Subject", "Message"}
_ARN = re.compile(r"arn:[!-~]{1,1000}")  # every ARN of SNS matches, and fits in a variable

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The sender's text, out of its envelope if the message has one.

    `file` is the path of a file that holds the text instead, where `body` only points to it.
    """

    subject: str
    body: str
    topic_arn: str | None
    attributes: Mapping[str, Attribute]
    file: str | None = None


def open_envelope(message: Message, rule: Envelope = "open") -> Content:
    """The content of `message`, taken out of an envelope if `rule` finds one.

    `open` finds SNS notifications by their keys, and `{"Subject": "…", "Message": "…"}` without
    other keys. `legacy` finds every object with a `Subject` that is not empty. `keep` finds none.
    """
    envelope = _envelope(message.body, rule)
    if envelope is None:
        return Content(subject="", body=message.body, topic_arn=None, attributes=message.attributes)
    topic_arn = envelope.get("TopicArn")
    return Content(
        subject=_plain(envelope.get("Subject")) or "",
        body=_plain(envelope["Message"]) or "",
        topic_arn=topic_arn if _is_arn(topic_arn) else None,
        attributes={**_attributes(envelope), **message.attributes},
    )


def _envelope(body: str, rule: Envelope) -> Document | None:
    if rule == "keep" or '"Message"' not in body or not body.lstrip().startswith("{"):
        return None  # most bodies: saves parsing them
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and _RULES[rule](document) else None


def _is_envelope(document: Document) -> bool:
    return _is_bare(document) or _is_notification(document)


def _is_bare(document: Document) -> bool:
    return document.keys() == _BARE and all(isinstance(document[key], str) for key in _BARE)


def _is_notification(document: Document) -> bool:
    """Whether SNS wrote this document.

    An unknown key means that another sender wrote it, unless SNS signed the document: SNS may add
    keys one day.
    """
    return (
        document.get("Type") == "Notification"
        and all(isinstance(document.get(key), str) for key in _REQUIRED)
        and _is_arn(document["TopicArn"])
        and (document.keys() <= _OF_SNS or document.keys() >= _SIGNED)
    )


def _is_arn(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _ARN.fullmatch(value) is not None


def _has_subject(document: Document) -> bool:
    # ecs-watchbot's test, in JavaScript: "", 0 and null are false. It lost a structured Message.
    return (
        document.get("Subject") not in ("", 0, None) and _plain(document.get("Message")) is not None
    )


_RULES: Mapping[Envelope, Callable[[Document], bool]] = {
    "open": _is_envelope,
    "legacy": _has_subject,
}


def _attributes(envelope: Document) -> dict[str, Attribute]:
    given = envelope.get("MessageAttributes")
    if not isinstance(given, dict):
        return {}
    return {
        name: Attribute(type=_text(item.get("Type")), value=_text(item.get("Value")))
        for name, item in given.items()
        if isinstance(item, dict)
    }


def _plain(value: object) -> str | None:
    """A value as text for a variable; None for lists, objects and null."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
