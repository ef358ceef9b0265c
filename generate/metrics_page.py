"""Makes docs/reference/metrics.md from the catalogue."""

from watchbot.metrics import CATALOGUE, Metric

_START = """\
# Metrics

With `--metrics-port`, `/metrics` serves these metrics in Prometheus's text format, and also
`process_...` (memory, files, CPU) and `python_...` of every Python program. The table lists all
possible values of each label; only `watchbot local` calls further operations of AWS. Counters exist
from the start, with the value 0.

This page is made by `make docs`.

| metric | type | labels | what it is |
|---|---|---|---|
"""


def metrics_page() -> str:
    """The text of the page."""
    return _START + "".join(_row(entry) for entry in CATALOGUE)


def _row(entry: Metric) -> str:
    labels = "; ".join(
        f"`{name}`" if name == "version" or not values else f"`{name}`: {', '.join(values)}"
        for name, values in entry.labels.items()
    )
    return f"| `{entry.name}` | {entry.kind} | {labels} | {entry.text} |\n"
