"""Knows the names of fields, and finds the nearest one for a misspelt name."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

_MEANT = {  # names in other schedulers
    "cron": "schedule",
    "disabled": "suspended",
    "enabled": "suspended",
    "end": "scheduleEnd",
    "env": "environment",
    "expression": "schedule",
    "name": "id",
    "paused": "suspended",
    "start": "scheduleStart",
    "tz": "timezone",
}


def unknown(name: str, known: Iterable[str]) -> str:
    """The refusal of an unknown field; it names the nearest known field."""
    by_letters = {_letters(each): each for each in known}
    meant = _MEANT.get(_letters(name), "")
    if meant not in by_letters.values():
        found = difflib.get_close_matches(_letters(name[:60]), by_letters, n=1, cutoff=0)
        meant = by_letters[found[0]] if found else ""
    return f"Unknown field. The nearest known one is {meant}." if meant else "Unknown field."


def known_at(model: type[BaseModel], path: Sequence[Any]) -> set[str]:
    """The field names of `model` at a path inside it."""
    models = [model]
    for part in path:
        models = [
            inner
            for each in models
            for name, field in each.model_fields.items()
            if part == (field.alias or name)
            for inner in _models(field.annotation)
        ] or models  # an index of a list, or a union's member, is no field
    return {field.alias or name for each in models for name, field in each.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
