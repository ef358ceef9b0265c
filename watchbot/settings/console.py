"""The settings of `watchbot console`: what it reads, where it serves, who may act."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from watchbot.errors import SettingError
from watchbot.settings.base import (
    Host,
    Port,
    PublicUrl,
    Settings,
    ShownToken,
    describe,
    is_web_url,
    option,
)
from watchbot.settings.queues import AnyQueueUrls
from watchbot.settings.top import MetricsUrls


def _service_url(value: str) -> str:
    if "@" in value:  # an error must not repeat a password
        raise ValueError("must not hold a user or a password; give the token with its own option")
    if not is_web_url(value):
        raise ValueError(f"must be a URL, like http://127.0.0.1:5000, not {value!r}")
    return value.rstrip("/")


def _host_and_port(value: str) -> str:
    name, _, port = value.rpartition(":")
    if not name or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"must be NAME:PORT, like watchers.internal:9090, not {value!r}")
    return value


class ConsoleSettings(Settings):
    """Settings of `watchbot console`."""

    rivals = ("queue_url", "queue_prefix")  # a worker has QueueUrl in its variables

    queue_url: AnyQueueUrls = option((), "Show this queue and its dead letters; repeatable.", "URL")
    queue_prefix: str | None = option(
        None, "Show all queues whose names begin with this.", "NAME", max_length=80
    )
    watcher: MetricsUrls = option(
        (), "Read the watcher whose metrics are at this URL; repeatable.", "URL"
    )
    watchers_dns: Annotated[str, AfterValidator(_host_and_port)] | None = option(
        None, "Read a watcher at each address of this name.", "NAME:PORT"
    )
    watcher_token: ShownToken | None = option(
        None, "Send this token to the watchers.", "TOKEN", repr=False
    )
    failures: str | None = option(
        None,
        "Read failures that watchers keep in sqlite:///FILE, postgresql://... or dynamodb://TABLE.",
        "URL",
        repr=False,
    )
    record: str | None = option(
        None,
        "Read the record of ECS tasks in sqlite:///FILE or postgresql://...",
        "URL",
        repr=False,
    )
    schedule: Annotated[str, AfterValidator(_service_url)] | None = option(
        None, "Read the scheduler whose API is at this URL.", "URL"
    )
    schedule_token: ShownToken | None = option(
        None, "Send this token to the scheduler.", "TOKEN", repr=False
    )
    host: Host = option("127.0.0.1", "Serve the pages on this address.", "ADDRESS")
    port: Port = option(8300, "Serve the pages on this port; 0: any free port.", "PORT")
    token: str | None = option(
        None, "Require this token: as a bearer token, or as the password.", "TOKEN", repr=False
    )
    token_file: Path | None = option(None, "Read the token from this file.", "FILE")
    look_token: str | None = option(
        None, "Let who sends this token look, and not act.", "TOKEN", repr=False
    )
    user_header: str | None = option(
        None, "Trust a reverse proxy to name the user in this header.", "NAME"
    )
    acting_user: tuple[str, ...] = option(
        ("*",), "Let this user of --user-header act; *: each of them; repeatable.", "USER"
    )
    public_url: PublicUrl | None = option(
        None, "Answer to this address, under which a proxy serves the pages.", "URL"
    )
    database: str | None = option(
        None,
        "Keep the audit in sqlite:///FILE or postgresql://...; default: the last 1,000 in memory.",
        "URL",
        repr=False,
    )
    log_group: str | None = option(None, "Link to the workers' logs in this log group.", "NAME")
    structured_logging: bool = option(False, "Write each log line as a JSON object.")
    metrics_port: Port | None = option(
        None, "Serve /metrics, /healthz and /readyz on this port; 0: any free port.", "PORT"
    )
    metrics_host: Host = option("0.0.0.0", "Listen on this address.", "ADDRESS")

    @property
    def secret(self) -> str | None:
        """The token, given or in its file. Raises `SettingError` if it cannot be read."""
        if self.token_file is None:
            return self.token
        if self.token is not None:
            names = f"{describe('token')}, {describe('token_file')}"
            raise SettingError(names, "both are set; give one of them")
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            problem = f"cannot read {str(self.token_file)!r}: {reason}"
            raise SettingError(describe("token_file"), problem) from error
