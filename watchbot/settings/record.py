"""The settings of `watchbot record` and `watchbot tasks`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from watchbot.settings.base import (
    TWELVE_HOURS_S,
    Host,
    Port,
    PublicUrl,
    QueueUrl,
    Settings,
    option,
    split,
)

Clusters = Annotated[tuple[str, ...], BeforeValidator(split)]


class DatabaseSettings(Settings):
    """The database that keeps the state of the tasks."""

    database: str = option(
        "sqlite:///ecs.db", "Keep tasks in sqlite:///FILE or postgresql://...", "URL", repr=False
    )


class RecordSettings(DatabaseSettings):
    """Settings of `watchbot record`."""

    old_flags: ClassVar[Mapping[str, str]] = {"queue_url": "-sqs", "database": "-postgres"}

    queue_url: QueueUrl = option(
        ..., "Receive the events of ECS from this queue (required).", "URL"
    )
    concurrency: int = option(4, "Write at most N batches at once.", "N", ge=1, le=100)
    batch: int = option(100, "Write at most N events in one transaction.", "N", ge=1, le=1000)
    visibility_timeout: int = option(
        180,
        "Hide a message from others this long; a heartbeat renews it.",
        "S",
        ge=1,
        le=TWELVE_HOURS_S,
    )
    poll_wait: int = option(20, "Wait at most this long in each receive.", "S", ge=0, le=20)
    drain_timeout: float = option(
        25,
        "Let batches in hand finish for at most this long on shutdown.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    reconcile: Clusters = option(
        (), "Also ask ECS for the tasks of these clusters.", "CLUSTER,...|all"
    )
    reconcile_every: float = option(900, "Ask ECS this often.", "S", ge=10, le=86_400)
    retention: float | None = option(
        None, "Delete older history; keep each task's newest state.", "DAYS", gt=0, le=36_500
    )
    retention_tasks: float | None = option(
        None, "Delete tasks that ended longer ago, with their history.", "DAYS", gt=0, le=36_500
    )
    exit_when_empty: bool = option(False, "Exit when the queue is empty and all is written.")
    give_up_after: float = option(
        300, "Exit with 1 after AWS has refused every call this long.", "S", ge=0, le=TWELVE_HOURS_S
    )
    structured_logging: bool = option(False, "Write each log line as a JSON object.")
    metrics_port: Port | None = option(
        None, "Serve /metrics, /healthz and /readyz on this port; 0: any free port.", "PORT"
    )
    metrics_host: Host = option("0.0.0.0", "Listen on this address.", "ADDRESS")
    http_port: Port | None = option(
        None, "Serve the web page and /v1 on this port; 0: any free port.", "PORT"
    )
    http_host: Host = option("127.0.0.1", "Listen on this address.", "ADDRESS")
    http_token: str | None = option(
        None, "Require this token: as a bearer token, or as the password.", "TOKEN", repr=False
    )
    public_url: PublicUrl | None = option(
        None, "Answer to this address, under which a proxy serves the page.", "URL"
    )


class TasksSettings(DatabaseSettings):
    """Settings of `watchbot tasks`."""

    cluster: str | None = option(None, "List only tasks of this cluster (name or ARN).", "NAME")
    family: str | None = option(None, "List only tasks of this task definition family.", "NAME")
    group: str | None = option(None, "List only tasks of this group.", "NAME")
    started_by: str | None = option(None, "List only tasks that this caller started.", "NAME")
    service: str | None = option(None, "List only tasks of this service.", "NAME")
    limit: int = option(100, "List at most N tasks.", "N", ge=1, le=100_000)
    page: int = option(0, "Skip N pages of --limit tasks.", "N", ge=0, le=1_000_000)
    after: str | None = option(
        None, "List the tasks behind this one, the last of a list (ARN or id).", "TASK"
    )
