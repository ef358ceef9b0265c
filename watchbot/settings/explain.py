"""The settings of `watchbot explain`: where it finds what is known of a message."""

import os
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from watchbot.settings.base import QueueUrl, Settings, load, option
from watchbot.settings.deadletter import DeadLetterSettings, Duration
from watchbot.settings.record import DatabaseSettings


def _readable(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        if path != "-" and (os.path.isdir(path) or not os.access(path, os.R_OK)):
            raise ValueError(f"{path!r} is no file that can be read; check the path")
    return paths


class ExplainSettings(Settings):
    """Settings of `watchbot explain`."""

    rivals = ("stack_name", "queue_url", "dead_letter_queue_url")
    old_flags: ClassVar[Mapping[str, str]] = {"stack_name": "-s", "region": "-r"}

    log: Annotated[tuple[str, ...], AfterValidator(_readable)] = option(
        (), "Read the log of a watcher from this file; -: standard input; repeatable.", "FILE"
    )
    log_group: str | None = option(
        None, "Read the watchers' logs in this group of CloudWatch; default: the stack's.", "NAME"
    )
    since: Duration = option(
        1_209_600, "Read what CloudWatch has from this long ago on.", "TIME", ge=1
    )
    stack_name: str | None = option(None, "Find queues and logs in this stack.", "NAME")
    queue_url: QueueUrl | None = option(None, "Look among the dead letters of this queue.", "URL")
    dead_letter_queue_url: QueueUrl | None = option(
        None, "Look in this dead-letter queue; default: the one that the queue names.", "URL"
    )
    database: str | None = option(
        None, "Ask the record of tasks how containers ended: sqlite:///FILE or postgresql://...",
        "URL", repr=False,
    )  # fmt: skip

    @property
    def names_letters(self) -> bool:
        """Whether dead letters are to be looked at."""
        return any(getattr(self, name) for name in self.rivals)

    def of_letters(self) -> DeadLetterSettings:
        """Where the dead letters are. Raises `SettingError`."""
        names = ("region", "endpoint_url", "log_group", *self.rivals)
        return load(DeadLetterSettings, {name: getattr(self, name) for name in names})

    def of_record(self) -> DatabaseSettings | None:
        """Where the record of tasks is; None without one."""
        return (
            None if self.database is None else load(DatabaseSettings, {"database": self.database})
        )
