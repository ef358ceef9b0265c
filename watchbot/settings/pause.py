"""The settings of `watchbot pause` and `watchbot resume`."""

from typing import Annotated

from pydantic import AfterValidator

from watchbot.settings.base import QueueUrl, Settings, option


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
