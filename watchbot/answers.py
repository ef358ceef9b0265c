"""Refuses answers with status 200 that come from a proxy or a portal instead of AWS.

boto reads a web page as an answer without any value: an empty queue, a cluster without tasks.
"""

import json
from collections.abc import Mapping
from typing import Any

SHOWN_CHARACTERS = 80


class NoAnswer(Exception):
    """The answer does not come from the AWS service."""


def watch_answers(events: Any) -> None:
    """Makes every call of a client fail with `NoAnswer` for a foreign answer.

    `events` are the client's event hooks.
    """
    events.register("after-call", _check)
    events.register("before-parse.sqs.ReceiveMessage", _blank_what_is_no_message)


async def _check(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
    """Raises `NoAnswer` if boto found no value in an answer, and the body is not AWS's."""
    expected = model.output_shape.members if model.output_shape else ()
    said_something = not parsed.keys() <= {"ResponseMetadata"}
    json_spoken = model.service_model.metadata.get("protocol") == "json"
    if not expected or said_something or http_response.status_code >= 300 or not json_spoken:
        return
    body = await http_response.content
    document = _document(body)
    if document != {} and not (isinstance(document, dict) and document.keys() & {*expected}):
        kind = http_response.headers.get("content-type", "no content type")
        start = " ".join(body[:SHOWN_CHARACTERS].decode(errors="replace").split())
        raise NoAnswer(f"what came is no answer of AWS: {kind}, {start!r}")


def _blank_what_is_no_message(response_dict: dict[str, Any], **_: object) -> None:
    """Replaces each message that boto cannot parse with null, so that boto can read the others."""
    document = _document(response_dict["body"])
    messages = document.get("Messages") if isinstance(document, dict) else None
    if not isinstance(messages, list) or all(map(_is_parsable, messages)):
        return
    blanked = [message if _is_parsable(message) else None for message in messages]
    response_dict["body"] = json.dumps({"Messages": blanked}).encode()


def _is_parsable(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    maps = [message.get(name) for name in ("Attributes", "MessageAttributes")]
    if not all(found is None or isinstance(found, dict) for found in maps):
        return False
    values = (maps[1] or {}).values()
    return all(isinstance(value, dict) and _has_texts(value) for value in values)


def _has_texts(attribute: Mapping[str, object]) -> bool:
    return all(
        isinstance(attribute.get(name, ""), str)
        for name in ("DataType", "StringValue", "BinaryValue")
    )


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
