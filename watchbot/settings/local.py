"""The settings of `watchbot local`, and the variables that point workers at its AWS."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo, field_validator

from watchbot.settings.base import TWELVE_HOURS_S, AwsEndpoint, Host, Port, option, variables
from watchbot.settings.listen import WatcherSettings
from watchbot.settings.runs import check_fifo


def readable_lines(path: Path) -> Path:
    """The path, if it is a file that can be read, or `-`. Raises `ValueError`."""
    if str(path) != "-" and (path.is_dir() or not os.access(path, os.R_OK)):
        raise ValueError(f"{str(path)!r} is no file that can be read; check the path")
    return path


class LocalSettings(WatcherSettings):
    """Settings of `watchbot local`, with defaults for a terminal: short polls, no drain."""

    drain_timeout: float = option(
        0,
        "Let running workers finish for at most this long at the first Ctrl-C.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    exit_wait: int = option(
        0,
        "With --exit-when-empty, wait at most this long for returned messages.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    metrics_host: Host = option("127.0.0.1", "Listen on this address.", "ADDRESS")
    poll_wait: int = option(1, "Wait at most this long in each receive.", "S", ge=0, le=20)
    send: tuple[str, ...] = option((), "Publish this message; repeatable.", "BODY")
    send_file: Annotated[Path, AfterValidator(readable_lines)] | None = option(
        None, "Publish each line of this file; -: standard input.", "LINES"
    )
    fifo: bool = option(False, "Use a FIFO queue and a FIFO topic.")
    port: Port = option(0, "Serve the embedded AWS on this port; 0: any free port.", "PORT")
    console_port: Port = option(
        0, "Serve the console on this port of 127.0.0.1; 0: any free port.", "PORT"
    )
    no_console: bool = option(False, "Serve no console.")
    keep: bool = option(False, "Stay when the queue is empty, for a look at the console.")

    @field_validator("fifo")
    @classmethod
    def _fits_fifo(cls, chosen: bool, known: ValidationInfo) -> bool:
        if chosen:
            check_fifo(known.data)
        return chosen


def point_at(aws: AwsEndpoint) -> None:
    """Points this process, and every process it starts, at a server that checks no credentials.

    Workers' calls through boto or the `aws` command then go to this server, too.
    """
    os.environ.update(
        {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": aws.region or "us-east-1",
            "AWS_DEFAULT_REGION": aws.region or "us-east-1",
            "AWS_ENDPOINT_URL": aws.endpoint_url or "",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        }
    )
    others = [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")]
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", *others):
        os.environ.pop(name, None)


def hand_to_workers(*, topic_arn: str, progress_table: str) -> None:
    """Sets the variables from which workers learn the topic and the progress table."""
    given = {"work_topic": topic_arn, "progress_table": progress_table}
    for name, value in given.items():
        os.environ.update(dict.fromkeys(variables(name), value))
