"""How `watchbot record` runs, and where `watchbot tasks` looks."""

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
)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Clusters = Annotated[tuple[str, ...], BeforeValidator(_split)]


class DatabaseSettings(Settings):
    """Where the state of the tasks is kept."""

    database: str = option(
        "sqlite:///ecs.db", "sqlite:///FILE or postgresql://...", "URL", repr=False
    )


class RecordSettings(DatabaseSettings):
    """`watchbot record`."""

    old_flags: ClassVar[Mapping[str, str]] = {"queue_url": "-sqs", "database": "-postgres"}

    queue_url: QueueUrl = option(..., "The queue that gets the events of ECS (required).", "URL")
    concurrency: int = option(4, "Batches written at once.", "N", ge=1, le=100)
    batch: int = option(100, "Events written by one transaction.", "N", ge=1, le=1000)
    visibility_timeout: int = option(
        180, "How long a message stays ours without a heartbeat.", "S", ge=1, le=TWELVE_HOURS_S
    )
    poll_wait: int = option(20, "How long a receive waits for messages.", "S", ge=0, le=20)
    drain_timeout: float = option(
        25, "What batches in hand get when told to stop.", "S", ge=0, le=TWELVE_HOURS_S
    )
    reconcile: Clusters = option((), "Ask ECS for the tasks of these, too.", "CLUSTER,...|all")
    reconcile_every: float = option(900, "How often ECS is asked.", "S", ge=10, le=86_400)
    retention: float | None = option(
        None, "Forget history after so long; each task's newest state stays.", "DAYS", gt=0
    )
    exit_when_empty: bool = option(False, "Leave when the queue is empty and all is written.")
    give_up_after: float = option(
        300, "Leave, exit 1, once AWS has refused for so long.", "S", ge=0, le=TWELVE_HOURS_S
    )
    structured_logging: bool = option(False, "Log JSON objects, one a line.")
    metrics_port: Port | None = option(
        None, "Serve /metrics, /healthz and /readyz here; 0: any free port.", "PORT"
    )
    metrics_host: Host = option("0.0.0.0", "The address they are served on.", "ADDRESS")
    http_port: Port | None = option(None, "Serve the web page and /v1; 0: any free port.", "PORT")
    http_host: Host = option("127.0.0.1", "The address they are served on.", "ADDRESS")
    http_token: str | None = option(
        None, "Ask for this: as a bearer token, or as the password.", "TOKEN", repr=False
    )
    public_url: PublicUrl | None = option(
        None, "The address that a proxy serves the page under, if there is one.", "URL"
    )


class TasksSettings(DatabaseSettings):
    """`watchbot tasks`."""

    cluster: str | None = option(None, "Of this cluster alone (name or ARN).", "NAME")
    family: str | None = option(None, "Of this family of task definitions alone.", "NAME")
    group: str | None = option(None, "Of this task group alone.", "NAME")
    started_by: str | None = option(None, "Those that this one has started alone.", "NAME")
    service: str | None = option(None, "Of this service alone.", "NAME")
    limit: int = option(100, "Tasks to list at most.", "N", ge=1, le=100_000)
    page: int = option(0, "Skip so many times the limit.", "N", ge=0, le=1_000_000)
