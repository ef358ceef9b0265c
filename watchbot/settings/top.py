"""The settings of `watchbot top`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from watchbot.settings.base import Settings, option


def _metrics_urls(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_metrics_url(value) for value in values)


def _metrics_url(value: str) -> str:
    parts = urlsplit(value)
    if "@" in parts.netloc:  # an error must not repeat a password
        raise ValueError("must not hold a user or a password; watchers do not check them")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"must be a URL, like http://127.0.0.1:9090/metrics, not {value!r}")
    return value if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}/metrics"


MetricsUrls = Annotated[tuple[str, ...], AfterValidator(_metrics_urls)]


class TopSettings(Settings):
    """Settings of `watchbot top`."""

    url: MetricsUrls = option(
        ("http://127.0.0.1:9090/metrics",), "Watch the metrics at this URL; repeatable.", "URL"
    )
    watcher_token: str | None = option(
        None, "Send this token to the watchers.", "TOKEN", repr=False
    )
    interval: float = option(2, "Fetch the metrics this often.", "S", ge=0.1, le=60)
    once: bool = option(False, "Fetch twice, print once, and exit; with 1 if no watcher answered.")
