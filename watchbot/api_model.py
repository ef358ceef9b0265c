"""Checks parameters against AWS's own description of an API: their fields and types.

botocore contains the description, so a new version of botocore brings new fields without a change
here.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.loaders import Loader

_TYPES: Mapping[str, type] = {
    "boolean": bool,
    "integer": int,
    "list": list,
    "long": int,
    "map": dict,
    "string": str,
    "structure": dict,
}
_CALLED = {
    "boolean": "true or false",
    "integer": "a whole number",
    "list": "a list",
    "long": "a whole number",
    "map": "an object",
    "string": "a text",
    "structure": "an object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """An error at a path within a value; for an unknown field, also the known fields."""

    path: tuple[str, ...]
    text: str = ""
    known: tuple[str, ...] = ()


@functools.cache
def shapes(service: str) -> Mapping[str, Any]:
    """Returns the types of an API, by name."""
    found: Mapping[str, Any] = Loader().load_service_model(service, "service-2")["shapes"]
    return found


def misfits(service: str, name: str, value: Any, path: tuple[str, ...] = ()) -> Iterator[Misfit]:
    """Yields everything in `value` that does not fit the type `name`."""
    shape = shapes(service)[name]
    kind = shape["type"]
    if isinstance(value, bool) != (kind == "boolean") or not isinstance(value, _TYPES[kind]):
        yield Misfit(path=path, text=f"must be {_CALLED[kind]}")
    elif value not in shape.get("enum", (value,)):
        yield Misfit(path=path, text=f"must be one of {', '.join(shape['enum'])}")
    else:
        yield from _of_length(shape, value, path)
        yield from _of_members(shape, value, path)
        for inner, key, each in _within(shape, value):
            yield from misfits(service, inner, each, (*path, key))


def with_types(service: str, name: str, value: Any) -> Any:
    """Returns `value` with each text converted to a number or boolean where the type wants one.

    Leaves values that do not fit the type unchanged: `misfits` reports them.
    """
    shape = shapes(service)[name]
    kind = shape["type"]
    if isinstance(value, str):
        return _parsed(kind, value)
    if kind == "list" and isinstance(value, list):
        return [with_types(service, shape["member"]["shape"], each) for each in value]
    if kind == "map" and isinstance(value, dict):
        inner = shape["value"]["shape"]
        return {key: with_types(service, inner, each) for key, each in value.items()}
    if kind == "structure" and isinstance(value, dict):
        members = shape["members"]
        return {
            key: with_types(service, members[key]["shape"], each) if key in members else each
            for key, each in value.items()
        }
    return value


def _parsed(kind: str, text: str) -> Any:
    if kind in {"integer", "long"} and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text


def _within(shape: Mapping[str, Any], value: Any) -> Iterator[tuple[str, str, Any]]:
    """Yields type, path and value of each member of a value."""
    if shape["type"] == "list":
        for number, each in enumerate(value):
            yield shape["member"]["shape"], str(number), each
    elif shape["type"] == "map":
        for name, each in value.items():
            yield shape["value"]["shape"], name, each
    elif shape["type"] == "structure":
        for name in value.keys() & shape["members"].keys():
            yield shape["members"][name]["shape"], name, value[name]


def _of_members(shape: Mapping[str, Any], value: Any, path: tuple[str, ...]) -> Iterator[Misfit]:
    if shape["type"] == "structure":
        known = tuple(shape["members"])
        for name in value:
            if name not in known:
                yield Misfit(path=(*path, name), known=known)
        for name in shape.get("required", ()):
            if name not in value:
                yield Misfit(path=(*path, name), text="is missing")


def _of_length(shape: Mapping[str, Any], value: Any, path: tuple[str, ...]) -> Iterator[Misfit]:
    if isinstance(value, (str, list)) and "max" in shape and len(value) > shape["max"]:
        yield Misfit(path=path, text=f"is longer than {shape['max']}")
    if isinstance(value, (str, list)) and len(value) < shape.get("min", 0):
        yield Misfit(path=path, text=f"is shorter than {shape['min']}")
