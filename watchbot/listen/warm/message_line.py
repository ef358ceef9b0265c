"""A message as one line of JSON, and an answer as one line: the protocol of lines."""

import json
import math
import os
import re
from typing import Any

from watchbot.listen import environment
from watchbot.listen.runner import Job
from watchbot.listen.warm.dialogue import Answer, BadAnswer
from watchbot.outcome import MAX_CODE

MOST_ANSWER_BYTES = 65_536
_PLAIN = re.compile(rb"(\d{1,3})(?:[ \t]+(.*))?", re.DOTALL)
_SHOWN = 60  # characters of a bad answer that its reason shows
_KEYS = {"exit", "reason", "retryAfter", "id"}


def message_line(job: Job, deadline: float) -> dict[str, Any]:
    """The fields of a message, by the names that a worker's variables have; absent ones left out.

    `deadline` is in epoch seconds.
    """
    message, content = job.message, job.content
    fields: dict[str, Any] = {
        "MessageId": message.id,
        "Message": content.body,
        **environment.message_facts(message, content),
        "ApproximateReceiveCount": message.receives,
        "deadline": round(deadline, 3),
    }
    if job.asks.resume is not None:
        fields["checkpoint"] = job.asks.resume
    if content.attributes:
        fields["MessageAttributes"] = {
            name: {"Type": item.type, "Value": item.value}
            for name, item in content.attributes.items()
        }
    if content.file is not None:
        fields = {**fields, "Message": "", "MessageFile": content.file}
        return {name: value for name, value in fields.items() if value != ""}
    return {name: value for name, value in fields.items() if value != "" or name == "Message"}


def encoded(fields: dict[str, Any], scratch: str, most_bytes: int) -> bytes:
    """The line with its newline. A body that is too long for it, or no text, is in a file (0600).

    Raises `OSError` when that cannot be written.
    """
    line = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    try:
        data = line.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: no text of UTF-8 has one
        data = b""
    if data and len(data) <= most_bytes:
        return data
    body = fields.pop("Message")
    path = f"{scratch}/message-{fields['MessageId'].replace('/', '_')}"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(body.encode(errors="surrogatepass"))
    return json.dumps({**fields, "MessageFile": path}, separators=(",", ":")).encode() + b"\n"


def read_answer(line: bytes, message_id: str) -> Answer:
    """The answer for the message of this id. Raises `BadAnswer`, which says what is wrong."""
    line = line.removesuffix(b"\r")
    if line.startswith(b"{"):
        return _object(line, message_id)
    found = _PLAIN.fullmatch(line)
    if found is None or int(found[1]) > MAX_CODE:
        raise BadAnswer(f"its answer is no exit code from 0 to {MAX_CODE}: {_shown(line)}")
    words = (found[2] or b"").decode(errors="backslashreplace").strip()
    return Answer(exit_code=int(found[1]), reason=words or None)


def _object(line: bytes, message_id: str) -> Answer:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise BadAnswer(f"its answer is no JSON: {_shown(line)}") from None
    exit_code, reason = given.get("exit"), given.get("reason")
    retry_after = given.get("retryAfter")
    if "id" in given and given["id"] != message_id:
        raise BadAnswer(f"its answer is for {given['id']!r}, where {message_id!r} is next")
    if unknown := given.keys() - _KEYS:
        raise BadAnswer(f"its answer has {min(unknown)!r}, which means nothing: {_shown(line)}")
    if not _is_number(exit_code) or exit_code not in range(MAX_CODE + 1):
        raise BadAnswer(f"its answer has no `exit` from 0 to {MAX_CODE}: {_shown(line)}")
    if not isinstance(reason, str | None):
        raise BadAnswer(f"its answer has a `reason` that is no text: {_shown(line)}")
    if retry_after is not None and not (_is_number(retry_after) and 0 <= retry_after < math.inf):
        raise BadAnswer(f"its answer has a `retryAfter` that is no number: {_shown(line)}")
    return Answer(exit_code=int(exit_code), reason=reason, retry_after_s=retry_after)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(line: bytes) -> str:
    text = line.decode(errors="backslashreplace")
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…") if text else "an empty line"
