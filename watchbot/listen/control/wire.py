"""Reads a worker's requests: each is one JSON object on one line, and so is each reply."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from watchbot.control import MOST_CHECKPOINT
from watchbot.listen.report import one_line

MOST_LINE = 524_288  # bytes: a checkpoint in base64 fits
FIELDS: Mapping[str, frozenset[str]] = {
    "retry-after": frozenset({"seconds"}),
    "reject": frozenset({"reason"}),
    "progress": frozenset({"fraction", "text"}),
    "checkpoint": frozenset({"data", "base64"}),
    "resume": frozenset(),
    "extend": frozenset({"seconds"}),
    "deadline": frozenset(),
}
OF_THE_RUN = ("extend", "deadline")  # verbs that are about the run, and so need no message


class Ungranted(Exception):
    """A request that is not granted; the text is the reply's `error`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its verb, the id of the message that it names, and the verb's own fields."""

    verb: str
    message: str | None
    fields: Mapping[str, Any]

    def number(self, name: str) -> float:
        """A field with a finite number from 0. Raises `Ungranted`."""
        value = self.fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15:
            return float(value)
        raise Ungranted(f"{self.verb} needs a number from 0 as {name!r}")

    def text(self, name: str) -> str:
        """A field with a text, as one line of at most 500 characters; empty where it is absent.

        Raises `Ungranted`.
        """
        value = self.fields.get(name, "")
        if not isinstance(value, str):
            raise Ungranted(f"{name!r} of {self.verb} must be a text")
        return one_line(value)

    def content(self) -> bytes:
        """The bytes in `data`, a text, or in `base64`. Raises `Ungranted`."""
        given = [self.fields[name] for name in ("data", "base64") if name in self.fields]
        if len(given) != 1 or not isinstance(given[0], str):
            raise Ungranted("checkpoint needs a text as either 'data' or 'base64'")
        try:
            plain = "data" in self.fields
            content = given[0].encode() if plain else base64.b64decode(given[0], validate=True)
        except ValueError as error:
            raise Ungranted("the text of the checkpoint cannot be decoded") from error
        if len(content) > MOST_CHECKPOINT:
            raise Ungranted(
                f"a checkpoint has at most {MOST_CHECKPOINT:,} bytes, not {len(content):,}; "
                "store the rest elsewhere, and its place here"
            )
        return content


def read_request(line: bytes) -> Asked:
    """The request on a line. Raises `Ungranted`, which says what is wrong with it."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Ungranted('a request is one JSON object on a line, like {"verb": "deadline"}')
    verb, message = given.pop("verb", None), given.pop("message", None)
    if not isinstance(verb, str) or verb not in FIELDS:
        raise Ungranted(f"'verb' must be one of {', '.join(FIELDS)}")
    if not isinstance(message, str | None):
        raise Ungranted("'message' must be the id of a message, as a text")
    if unknown := given.keys() - FIELDS[verb]:
        raise Ungranted(f"{verb} takes no {one_line(min(unknown))!r}")
    return Asked(verb, message, given)


def granted(facts: Mapping[str, object]) -> bytes:
    """The line that says what was done."""
    return json.dumps({"ok": True, **facts}).encode() + b"\n"


def refused(problem: str) -> bytes:
    """The line that says why nothing was done."""
    return json.dumps({"ok": False, "error": problem}).encode() + b"\n"
