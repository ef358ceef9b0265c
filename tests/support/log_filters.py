"""The filter patterns of CloudWatch Logs, as far as our templates use them.

moto knows terms alone. Written after AWS's page "Filter pattern syntax for metric filters".
"""

import json
import re
from typing import Any

_FIELD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')
_COMPARISON = re.compile(r'\$\.(\w+) = (?:"([^"]*)"|(\*))')


def reading(pattern: str, value: str, line: str) -> float | None:
    """The value that a metric filter reads from a line; None without a match or a number."""
    found = _fields(pattern, line)
    if found is None:
        return None
    if not value.startswith("$"):
        return float(value)
    return _number(found.get(value.removeprefix("$").removeprefix(".")))


def _fields(pattern: str, line: str) -> dict[str, Any] | None:
    """The parts of a line by name, if the pattern matches it."""
    if pattern.startswith("{"):
        return _of_json(pattern, line)
    if pattern.startswith("["):
        return _by_place(pattern, line)
    return {} if all(term in line for term in re.findall(r'"([^"]*)"', pattern)) else None


def _of_json(pattern: str, line: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    for condition in pattern.strip("{} ").split(" && "):
        comparison = _COMPARISON.fullmatch(condition)
        assert comparison, f"a form that is not written here: {pattern}"
        name, wanted, anything = comparison.groups()
        if name not in found or not (anything or found[name] == wanted):
            return None
    return found


def _by_place(pattern: str, line: str) -> dict[str, Any] | None:
    names = pattern.strip("[]").split(", ")
    fields = [each.strip('[]"') for each in _FIELD.findall(line)]
    assert names[0] == "...", f"a form that is not written here: {pattern}"
    last = fields[-len(names) + 1 :]
    if len(last) < len(names) - 1:
        return None
    found = {}
    for name, field in zip(names[1:], last, strict=True):
        name, _, wanted = name.partition("=")
        if wanted and field != wanted:
            return None
        found[name] = field
    return found


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
