"""The settings of `watchbot chaos`, and the variable in which commands find their directory."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from watchbot.settings.base import TWELVE_HOURS_S, load, option
from watchbot.settings.listen import ListenSettings, WatcherSettings
from watchbot.settings.local import readable_lines

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/chaos"
DIRECTORY = "WATCHBOT_CHAOS_DIR"


class ChaosSettings(WatcherSettings):
    """Settings of `watchbot chaos`."""

    concurrency: int = option(4, "Run at most N workers at once.", "N", ge=2, le=100)
    max_job_duration: float = option(
        60, "End a run that takes longer, which is a finding.", "S", gt=0, le=TWELVE_HOURS_S
    )
    kill_grace: float = option(
        2, "Send SIGKILL this long after a worker's SIGTERM.", "S", ge=0.1, le=3600
    )
    messages: int = option(20, "Make N messages, where none are given.", "N", ge=1, le=10_000)
    send: tuple[str, ...] = option((), "Give this message; repeatable.", "BODY")
    send_file: Annotated[Path, AfterValidator(readable_lines)] | None = option(
        None, "Give each line of this file; -: standard input.", "LINES"
    )
    no_odd: bool = option(False, "Give no odd messages: 1 MiB, strange letters, shell syntax.")
    seed: int | None = option(None, "Repeat the disturbances of this seed.", "N", ge=0)
    reset: str | None = option(
        None, "Run this before each of the two rounds, to begin from nothing.", "SCRIPT"
    )
    check: str | None = option(
        None, "Compare what this prints after the disturbed round and the calm one.", "SCRIPT"
    )
    leak_runs: int = option(
        1_000, "With --warm, look for a leak of memory over N runs.", "N", ge=200, le=1_000_000
    )

    def of_watcher(self, slots: int | None = None) -> ListenSettings:
        """The settings of a watcher that runs the command, `slots` at once instead of as many.

        Raises `SettingError`.
        """
        given = {name: getattr(self, name) for name in WatcherSettings.model_fields}
        one = {"batch_size": 1, "batch_window": 0, "queue_url": (QUEUE,), "breaker": 0}
        if slots is not None:
            one["concurrency"] = slots
        return load(ListenSettings, {**given, **one})


def give_directory(path: str) -> None:
    """Has the commands that this process starts find their directory."""
    os.environ[DIRECTORY] = path
