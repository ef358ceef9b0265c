"""docs/reference/metrics.md, from the catalogue."""

from watchbot.metrics import CATALOGUE, Metric

_START = """\
# Metrics

`/metrics` serves these in Prometheus's text format, with `--metrics-port`. Next to them are
`process_...` (memory, files, CPU) and `python_...`, as every Python program has them. The values
of each label are all that there can be; `watchbot local` calls a few more operations of AWS.
Counters are there, at 0, from the start.

This page is made by `make docs`.

| metric | type | labels | what it is |
|---|---|---|---|
"""


def metrics_page() -> str:
    """The page."""
    return _START + "".join(_row(entry) for entry in CATALOGUE)


def _row(entry: Metric) -> str:
    labels = "; ".join(
        f"`{name}`" if name == "version" or not values else f"`{name}`: {', '.join(values)}"
        for name, values in entry.labels.items()
    )
    return f"| `{entry.name}` | {entry.kind} | {labels} | {entry.text} |\n"
