"""The settings of `watchbot replay`: those of a watcher that matter to one run, and the message."""

from typing import Any

from pydantic import ValidationInfo, field_validator

from watchbot.settings.base import QueueUrl, load, option
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.settings.listen import ListenSettings, WatcherSettings

# Runs need some URL to tell their commands, where the user has named none.
NO_QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/replay"
_LETTERS = ("stack_name", "queue_url", "dead_letter_queue_url")


class ReplaySettings(WatcherSettings):
    """Settings of `watchbot replay`."""

    rivals = _LETTERS

    stack_name: str | None = option(None, "Find the queues in this CloudFormation stack.", "NAME")
    queue_url: QueueUrl | None = option(None, "Take a dead letter of this queue.", "URL")
    dead_letter_queue_url: QueueUrl | None = option(
        None, "Take it from this dead-letter queue; default: the one that the queue names.", "URL"
    )
    dead_letter: bool = option(False, "Take the first dead letter, where no MESSAGE is given.")
    debugger: bool = option(
        False, "Leave COMMAND the terminal; the message is in MessageFile, and no time limit holds."
    )

    @field_validator("debugger")
    @classmethod
    def _has_its_own_process(cls, chosen: bool, known: ValidationInfo) -> bool:
        if chosen and (known.data.get("warm", "off") != "off" or known.data.get("batch_size") != 1):
            raise ValueError("shows a process for one message; leave --warm and --batch-size out")
        return chosen

    def of_letters(self) -> DeadLetterSettings:
        """Where the dead letters are. Raises `SettingError`."""
        return load(DeadLetterSettings, self._given(*_LETTERS))

    def of_watcher(self) -> ListenSettings:
        """The settings of a watcher that runs the command once. Raises `SettingError`."""
        given = self._given(*WatcherSettings.model_fields)
        once = {"concurrency": 1, "batch_window": 0, "queue_url": self.queue_url or NO_QUEUE}
        attached = {"no_stdin": True, "max_job_duration": 0} if self.debugger else {}
        return load(ListenSettings, {**given, **once, **attached})

    def _given(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("region", "endpoint_url", *names)}
