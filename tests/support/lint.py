"""cfn-lint, as strict as it gets: what it has to say about a template, in every rule there is."""

import functools
from typing import Any

from cfnlint import api, core


@functools.cache
def _rules() -> Any:
    return core.get_rules([], [], [], include_experimental=True)


def complaints(text: str) -> list[str]:
    """The errors and warnings of a template in JSON or YAML."""
    found = api.lint(text, _rules(), ["eu-west-1"])
    return [f"{match.rule.id} {match.path}: {match.message}" for match in found]
