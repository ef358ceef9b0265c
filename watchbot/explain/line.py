"""Reads one line of a watcher's log about a message; `watchbot.logs` writes them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from watchbot.outcome import FAILURE

_TEXT = re.compile(
    r"\[(?P<date>\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d) GMT\] "
    r"\[(?P<who>watcher|worker)\] (?:\[(?P<id>[^\]]+)\] )?(?P<text>.*)"
)
_FACTS = re.compile(r'(?P<name>\w+)=(?P<value>"(?:[^"\\]|\\.)*"|\S*)')
_FIGURES = re.compile(
    r"(?<= )(?P<name>cpu_s|memory_mb|duration_s|response_s|receives) (?P<value>\S+)"
)
_PHRASE_ENDS = re.compile(r" (?=\w+=|\{\"code\"|(?:cpu_s|memory_mb|duration_s) \d)")
_MARK = f"[{FAILURE}] "


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line about the message: when (epoch seconds), where, who said it, what, and its facts.

    `source` is the container as the log names it: a stream of CloudWatch, a host, or a file.
    """

    at: float
    source: str
    who: str
    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


def read_line(line: str, message_id: str, source: str, at: float | None = None) -> Event | None:
    """The event of a line; None if it is not about this message.

    `at` is a time that is known better than the line's own, which has no milliseconds as text.
    What stands before a line is skipped: tools put a time or a container there.
    """
    if message_id not in line:
        return None
    found = _TEXT.search(line)
    start = line.find("{")
    if found is None or -1 < start < found.start():
        return _of_json(line[start:], message_id, source, at) if start >= 0 else None
    if found["id"] != message_id:
        return None
    date = datetime.strptime(found["date"], "%a, %d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    when = date.timestamp() if at is None else at
    if found["who"] == "worker":
        return Event(at=when, source=source, who="worker", text=found["text"])
    text = found["text"].removeprefix(_MARK)
    facts = {each["name"]: _value(each["value"]) for each in _FACTS.finditer(text)}
    facts |= {each["name"]: each["value"] for each in _FIGURES.finditer(text)}
    phrase = _PHRASE_ENDS.split(text, maxsplit=1)[0]
    return Event(at=when, source=source, who="watcher", text=phrase, facts=facts)


def _of_json(text: str, message_id: str, source: str, at: float | None) -> Event | None:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or message_id not in _ids(fields):
        return None
    when = at if at is not None else _moment(fields.get("time"))
    if when is None:
        return None
    who = "watcher" if fields.get("name") == "watcher" else "worker"
    said = str(fields.get("msg", ""))
    facts = {name: str(value) for name, value in fields.items() if value is not None}
    host = facts.get("hostname")
    return Event(at=when, source=host or source, who=who, text=said, facts=facts)


def _ids(fields: Mapping[str, Any]) -> list[Any]:
    batch = fields.get("watchbot_batch")
    return [fields.get("watchbot_sqs_message_id"), *(batch if isinstance(batch, list) else ())]


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None


def _value(word: str) -> str:
    try:
        return str(json.loads(word)) if word.startswith('"') else word
    except ValueError:
        return word
