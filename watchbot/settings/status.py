"""The settings of `watchbot status`: which queues, and who knows of them."""

from watchbot.settings.base import Settings, option
from watchbot.settings.queues import AnyQueueUrls
from watchbot.settings.top import MetricsUrls


class StatusSettings(Settings):
    """Settings of `watchbot status`."""

    rivals = ("queue_url", "queue_prefix")  # a worker has QueueUrl in its variables

    queue_url: AnyQueueUrls = option((), "Show this queue; repeatable.", "URL")
    queue_prefix: str | None = option(None, "Show all queues whose names begin with this.", "NAME")
    watcher: MetricsUrls = option(
        (), "Also ask the watcher whose metrics are at this URL; repeatable.", "URL"
    )
    watcher_token: str | None = option(
        None, "Send this token to the watchers.", "TOKEN", repr=False
    )
