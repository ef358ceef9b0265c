"""The settings of `watchbot top`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from watchbot.settings.base import Settings, ShownToken, is_web_url, option


def _metrics_urls(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_metrics_url(value) for value in values)


def _metrics_url(value: str) -> str:
    if "@" in value:  # an error must not repeat a password
        raise ValueError("must not hold a user or a password; watchers do not check them")
    if not is_web_url(value):
        raise ValueError(f"must be a URL, like http://127.0.0.1:9090/metrics, not {value!r}")
    parts = urlsplit(value)
    return value if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}/metrics"


MetricsUrls = Annotated[tuple[str, ...], AfterValidator(_metrics_urls)]


class TopSettings(Settings):
    """Settings of `watchbot top`."""

    url: MetricsUrls = option(
        ("http://127.0.0.1:9090/metrics",), "Watch the metrics at this URL; repeatable.", "URL"
    )
    watcher_token: ShownToken | None = option(
        None, "Send this token to the watchers.", "TOKEN", repr=False
    )
    interval: float = option(2, "Fetch the metrics this often.", "S", ge=0.1, le=60)
    once: bool = option(False, "Fetch twice, print once, and exit; with 1 if no watcher answered.")
