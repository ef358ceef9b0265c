"""Turns pydantic's errors into a body's errors by field, in ecs-scheduler's words."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from watchbot.schedule.job.names import known_at, unknown

WRONG_BODY = {"_schema": ["Invalid input type."]}

_WORDS = {
    "missing": "Missing data for required field.",
    "int_type": "Not a valid integer.",
    "int_parsing": "Not a valid integer.",
    "int_parsing_size": "Not a valid integer.",
    "int_from_float": "Not a valid integer.",
    "string_type": "Not a valid string.",
    "bool_type": "Not a valid boolean.",
    "bool_parsing": "Not a valid boolean.",
    "datetime_type": "Not a valid datetime.",
    "datetime_parsing": "Not a valid datetime.",
    "datetime_from_date_parsing": "Not a valid datetime.",
    "timezone_aware": "Not a valid datetime.",
    "timezone_naive": "Not a valid datetime.",
    "list_type": "Not a valid list.",
    "tuple_type": "Not a valid list.",
    "dict_type": "Not a valid mapping type.",
    "model_type": "Invalid input type.",
    "model_attributes_type": "Invalid input type.",
    "string_pattern_mismatch": "String does not match expected pattern.",
    "union_tag_not_found": "Missing data for required field.",
}


def messages(invalid: ValidationError, model: type[BaseModel]) -> dict[str, Any]:
    """The errors as a tree in the body's shape, with lists of sentences as leaves."""
    tree: dict[str, Any] = {}
    for error in invalid.errors(include_url=False, include_input=False):
        *within, name = path = _path(error)
        if error["type"] == "extra_forbidden":
            _put(tree, path, unknown(name, known_at(model, within)))
        else:
            _put(tree, path, _sentence(error))
    if "schedule" in tree:
        tree["parsedSchedule"] = tree["schedule"]  # clients of ecs-scheduler read this field
    return tree


def _path(error: Any) -> list[str]:
    # pydantic adds a union's tried member to the path, but the body has no such field.
    path = [str(part) for part in error["loc"]]
    if path[:1] == ["target"]:
        path = [path[0], *(part for part in path[1:] if part not in ("sns", "sqs"))]
    if path[:1] == ["overrides"] and path[1:2] in (["listed"], ["whole"]):
        del path[1]
    if path[:1] in (["scheduleStart"], ["scheduleEnd"]):
        path = path[:1]
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        path.append("type")
    if error["type"] in ("schema", "model_type", "model_attributes_type") and path:
        path.append("_schema")
    return path or ["_schema"]


def _sentence(error: Any) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in ("greater_than_equal", "less_than_equal"):
        return _range(error["loc"][-1], limits)
    if kind in ("literal_error", "union_tag_invalid"):
        return f"Must be one of {limits.get('expected') or limits.get('expected_tags')}."
    text: str = error["msg"]
    return text


def _range(name: Any, limits: Any) -> str:
    if name in ("taskCount", "maxCount"):
        return "Must be between 1 and 50."
    low, high = limits.get("ge"), limits.get("le")
    return f"Must be at least {low}." if high is None else f"Must be at most {high}."


def _put(tree: dict[str, Any], path: Sequence[str], sentence: str) -> None:
    *branches, leaf = path
    for branch in branches:
        found = tree.setdefault(branch, {})
        if not isinstance(found, dict):
            return  # the branch itself has an error already
        tree = found
    told = tree.setdefault(leaf, [])
    if isinstance(told, list) and sentence not in told:
        told.append(sentence)
