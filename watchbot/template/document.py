"""Holds a finished template, writes it as text, and merges several templates."""

import json
from collections.abc import Mapping
from typing import Any

import cfn_flip

from watchbot.errors import UsageError


class Template(dict[str, Any]):
    """A template as a dict in the form of CloudFormation's JSON, which the caller may change.

    `ref` has values for properties of other resources, by name: `queue_url`, `topic`...
    """

    def __init__(self, sections: Mapping[str, Any], ref: Mapping[str, Any]) -> None:
        super().__init__(sections)
        self.ref = dict(ref)


def merge(*templates: Mapping[str, Any]) -> dict[str, Any]:
    """Merges templates into one; the last description wins.

    Raises `UsageError` when two templates use one name for different things.
    """
    merged: dict[str, Any] = {}
    for template in templates:
        for section, content in template.items():
            if isinstance(content, Mapping):
                merged[section] = _joined(section, merged.get(section, {}), content)
            else:
                merged[section] = content
    return merged


def _joined(section: str, ours: dict[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    twice = [name for name in theirs if name in ours and ours[name] != theirs[name]]
    if twice:
        raise UsageError(
            f"two templates have different {section} called {', '.join(twice)}: "
            "give each template of watchbot a --prefix (prefix) of its own"
        )
    return {**ours, **theirs}


def written(template: Mapping[str, Any], form: str) -> str:
    """The template as text; `form` is json or yaml."""
    whole = json.dumps(template, indent=2)
    if form == "json":
        return whole + "\n"
    text: str = cfn_flip.to_yaml(whole)
    return text
