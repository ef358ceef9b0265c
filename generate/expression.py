"""Checks that PromQL names only metrics, labels and values of the catalogue."""

import re

from watchbot.metrics import CATALOGUE, Metric

_PARTS = {"histogram": ("_bucket", "_sum", "_count")}
_FROM_PROMETHEUS = {"le", "job", "instance"}
_METRIC = re.compile(r"\b(watchbot_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')


def checked(expression: str) -> str:
    """Returns `expression`; raises `LookupError` for an unknown metric, label or value."""
    known = {
        entry.name + part: entry for entry in CATALOGUE for part in _PARTS.get(entry.kind, ("",))
    }
    for name, matchers in _METRIC.findall(expression):
        if name not in known:
            raise LookupError(f"no metric {name} in {expression}")
        for label, values in _MATCHER.findall(matchers):
            _check_label(known[name], label, values.split("|"))
    return expression


def _check_label(entry: Metric, label: str, values: list[str]) -> None:
    if label in _FROM_PROMETHEUS:
        return
    known = entry.labels.get(label)
    if known is not None and not known:
        return  # the names are the user's: of queues, of jobs
    unknown = set(values) - set(known or ())
    if unknown:
        raise LookupError(f"{entry.name} has no {label} {', '.join(sorted(unknown))}")
