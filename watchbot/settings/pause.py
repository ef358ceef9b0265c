"""The settings of `watchbot pause` and `watchbot resume`."""

from watchbot.settings.base import Settings, option
from watchbot.settings.queues import AnyQueueUrls


class ResumeSettings(Settings):
    """Settings of `watchbot resume`."""

    queue_url: AnyQueueUrls = option((), "Resume this queue; repeatable.", "URL")


class PauseSettings(Settings):
    """Settings of `watchbot pause`."""

    queue_url: AnyQueueUrls = option((), "Pause this queue; repeatable.", "URL")
    reason: str = option("", "Say why; watchers log it, and `watchbot status` shows it.", "TEXT")
