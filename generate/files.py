"""Which file is made by what."""

from collections.abc import Callable

from generate.metrics_page import metrics_page

FILES: dict[str, Callable[[], str]] = {
    "docs/reference/metrics.md": metrics_page,
}
