"""The settings of `watchbot pause`, `resume` and `status`: which queues, and who knows of them."""

from typing import Annotated

from pydantic import AfterValidator

from watchbot.settings.base import QueueUrl, Settings, option
from watchbot.settings.top import MetricsUrls


def _each_once(urls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(urls))


QueueUrls = Annotated[tuple[QueueUrl, ...], AfterValidator(_each_once)]


class ResumeSettings(Settings):
    """Settings of `watchbot resume`."""

    queue_url: QueueUrls = option((), "Resume this queue; repeatable.", "URL")


class PauseSettings(Settings):
    """Settings of `watchbot pause`."""

    queue_url: QueueUrls = option((), "Pause this queue; repeatable.", "URL")
    reason: str = option("", "Say why; watchers log it, and `watchbot status` shows it.", "TEXT")


class StatusSettings(Settings):
    """Settings of `watchbot status`."""

    rivals = ("queue_url", "queue_prefix")  # a worker has QueueUrl in its variables

    queue_url: QueueUrls = option((), "Show this queue; repeatable.", "URL")
    queue_prefix: str | None = option(None, "Show all queues whose names begin with this.", "NAME")
    watcher: MetricsUrls = option(
        (), "Also ask the watcher whose metrics are at this URL; repeatable.", "URL"
    )
