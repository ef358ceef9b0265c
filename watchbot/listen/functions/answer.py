"""Reads a function's answer by the rules of Lambda's event source mapping for SQS."""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from watchbot.listen.report import one_line
from watchbot.outcome import FAILED, MAX_CODE, REJECTED, RETURNED, Outcome

MAX_TRACE_LINES = 200
NAMED_FAILED = "named in batchItemFailures"

# How `watchbot.Return(after=600)` reads as text: runtimes pass on no more of an exception.
_WISH = re.compile(r"retryAfter=(\d{1,9}(?:\.\d{1,9})?)(?:: |$)")
_BY_TYPE = {"WatchbotReject": REJECTED, "WatchbotReturn": RETURNED}


class UnreadableAnswer(Exception):
    """The answer does not tell which messages failed, so all count as failed; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A message that a function reports as failed.

    `exit` is an exit code, None where it names none. `retry_after` is in seconds.
    """

    exit: int | None = None
    retry_after: float | None = None
    reason: str = NAMED_FAILED


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that a function, or its runtime, reports instead of an answer."""

    type: str
    message: str
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        return one_line(f"{self.type}: {self.message}" if self.message else self.type)

    @property
    def outcome(self) -> Outcome:
        """The outcome of the messages; some types ask for more than a retry."""
        return _BY_TYPE.get(self.type, FAILED)

    @property
    def retry_after(self) -> float | None:
        """The wish at the start of a `WatchbotReturn`'s message, in seconds; None without one."""
        wish = _WISH.match(self.message) if self.outcome is RETURNED else None
        return float(wish[1]) if wish else None

    @property
    def tail(self) -> str:
        """The error with its stack, a call a line."""
        head = f"{self.type}: {self.message}" if self.message else self.type
        return "".join(f"{line.rstrip()}\n" for line in (head, *self.trace))


def failures(answer: bytes, ids: Collection[str]) -> dict[str, Failure]:
    """The messages that the answer says have failed, by id; the others of `ids` are done.

    Raises `UnreadableAnswer` if the answer is not JSON, and if a failure names no message of `ids`:
    then all have failed.
    """
    try:
        document = json.loads(answer) if answer.strip() else None
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswer("its answer is no JSON") from error
    if not isinstance(document, dict) or document.get("batchItemFailures") is None:
        return {}
    items = document["batchItemFailures"]
    if not isinstance(items, list):
        raise UnreadableAnswer("batchItemFailures in its answer is no list")
    found: dict[str, Failure] = {}
    for item in items:
        name = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise UnreadableAnswer("an item of batchItemFailures has no itemIdentifier")
        if name not in ids:
            raise UnreadableAnswer(f"batchItemFailures names {one_line(name)!r}, not in its batch")
        found.setdefault(name, _failure(item))
    return found


def fault(body: bytes, named: str | None) -> Fault:
    """The error in a request to `/error`; `named` is the type that its headers have, if any."""
    try:
        document = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        document = {}
    said: Mapping[str, Any] = document if isinstance(document, dict) else {}
    trace = said.get("stackTrace")
    entries = trace if isinstance(trace, list) else []
    lines = [line for entry in entries if isinstance(entry, str) for line in entry.splitlines()]
    return Fault(
        type=_text(said.get("errorType")) or named or "an error without a type",
        message=_text(said.get("errorMessage")),
        trace=tuple(lines[:MAX_TRACE_LINES]),
    )


def _failure(item: Mapping[str, Any]) -> Failure:
    code, wait, reason = item.get("exit"), item.get("retryAfter"), item.get("reason")
    if code is not None and not (_is_number(code, int) and 0 <= code <= MAX_CODE):
        raise UnreadableAnswer(f"exit in batchItemFailures is no number from 0 to {MAX_CODE}")
    if wait is not None and not (_is_number(wait, (int, float)) and 0 <= wait < math.inf):
        raise UnreadableAnswer("retryAfter in batchItemFailures is no number of seconds")
    return Failure(exit=code, retry_after=wait, reason=one_line(_text(reason)) or NAMED_FAILED)


def _is_number(value: object, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
