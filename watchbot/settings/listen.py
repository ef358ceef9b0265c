"""The settings of `watchbot listen`: how it treats messages and workers."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator

from watchbot.outcome import ExitCodes, parse_codes
from watchbot.settings.base import TWELVE_HOURS_S, Host, Port, QueueUrl, TopicArn, option, split
from watchbot.settings.buckets import Buckets
from watchbot.settings.checkpoints import CheckpointsUrl
from watchbot.settings.queues import QueueShare, QueueUrls, shares
from watchbot.settings.runs import RunSettings, check_fifo
from watchbot.settings.values import Envelope
from watchbot.settings.whereabouts import is_fifo


def _volume(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"{str(path)!r} is not a directory; name directories that exist")
    if path.resolve() == Path("/"):
        raise ValueError("'/' would empty the whole machine; name the directory workers write to")
    return path.resolve()


Volumes = Annotated[
    tuple[Annotated[Path, AfterValidator(_volume)], ...],
    BeforeValidator(split),
]


def _codes(text: str) -> str:
    parse_codes(text)
    return text


class WatcherSettings(RunSettings):
    """How a watcher treats messages and workers, wherever its queue is."""

    visibility_timeout: int = option(
        180,
        "Hide a message from others this long; a heartbeat renews it.",
        "S",
        ge=1,
        le=TWELVE_HOURS_S,
    )
    max_job_duration: float = option(
        0, "End a worker that runs longer; 0: after SQS's 12 hours.", "S", ge=0, le=TWELVE_HOURS_S
    )
    kill_grace: float = option(
        10, "Send SIGKILL this long after a worker's SIGTERM.", "S", ge=0, le=3600
    )
    drain_timeout: float = option(
        25,
        "Let running workers finish for at most this long on shutdown.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    volumes: Volumes = option((), "Empty these directories after every job.", "PATH,PATH")
    writable_filesystem: bool = option(
        False, "Exit after one job, so that the next gets a fresh container."
    )
    structured_logging: bool = option(False, "Write each log line as a JSON object.")
    envelope: Envelope = option(
        "open",
        "Unwrap SNS envelopes (open), nothing (keep), or every body with a Subject (legacy).",
        "open|keep|legacy",
    )
    log_bodies: bool = option(False, "Log the body of each message received.")
    metrics_port: Port | None = option(
        None, "Serve /metrics, /healthz and /readyz on this port; 0: any free port.", "PORT"
    )
    metrics_host: Host = option("0.0.0.0", "Listen on this address.", "ADDRESS")
    metrics_token: str | None = option(
        None, "Require this bearer token for all but /healthz and /readyz.", "TOKEN", repr=False
    )
    show_output: bool = option(False, "Serve the last output of each run on the metrics port, too.")
    failures: str | None = option(
        None,
        "Keep failures for 14 days in sqlite:///FILE, postgresql://... or dynamodb://TABLE.",
        "URL",
        repr=False,
    )
    no_output: bool = option(False, "Keep no output of workers in --failures.")
    exit_when_empty: bool = option(False, "Exit when the queue is empty and all work is done.")
    exit_wait: int = option(
        900,
        "With --exit-when-empty, wait at most this long for returned messages.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    max_backoff: int = option(
        TWELVE_HOURS_S,
        "Hide a returned message for 2^receives seconds, at most this long.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    max_attempts: int = option(
        0,
        "Move a message to the dead-letter queue after N attempts; 0: leave it to SQS.",
        "N",
        ge=0,
        le=1000,
    )
    reject_codes: Annotated[str, AfterValidator(_codes)] = option(
        "3", "Delete a message and publish a notice when its worker exits with these.", "N,N-N"
    )
    return_codes: Annotated[str, AfterValidator(_codes)] = option(
        "4", "Return a message without a notice when its worker exits with these.", "N,N-N"
    )
    poll_wait: int = option(20, "Wait at most this long in each receive.", "S", ge=0, le=20)
    on_lost_lease: Literal["continue", "kill"] = option(
        "continue",
        "Let the worker continue, or kill it, once its lease is lost.",
        "continue|kill",
    )
    no_protection: bool = option(False, "Do not ask ECS for scale-in protection while workers run.")
    no_worker_credentials: bool = option(
        False, "Keep variables that hold or name AWS credentials from workers."
    )
    no_stdin: bool = option(
        False, "Give workers no standard input; always write the message to MessageFile."
    )
    give_up_after: float = option(
        300, "Exit with 1 after AWS has refused every call this long.", "S", ge=0, le=TWELVE_HOURS_S
    )
    checkpoints: CheckpointsUrl | None = option(
        None,
        "Keep what workers store with `watchbot ctl checkpoint` in dynamodb://TABLE, redis://... "
        "or file:///DIRECTORY.",
        "URL",
        repr=False,
    )
    breaker: int = option(
        5, "Stop receiving when the first N messages fail alike; 0: never.", "N", ge=0, le=1000
    )
    payload_buckets: Buckets = option(
        (), "Fetch bodies that messages point to, from these S3 buckets alone.", "NAME,NAME"
    )
    max_payload: int = option(5_368_709_120, "Fetch no larger body.", "BYTES", ge=1)
    keep_payloads: bool = option(False, "Do not delete a fetched body when its message is done.")
    shell: bool = option(False, "Join the words of COMMAND and run them with /bin/sh -c.")

    @field_validator("writable_filesystem")
    @classmethod
    def _not_warm(cls, chosen: bool, known: ValidationInfo) -> bool:
        if chosen and known.data.get("warm", "off") != "off":
            raise ValueError("ends the container after one run, and --warm keeps workers")
        return chosen

    @field_validator("no_stdin")
    @classmethod
    def _no_lines(cls, chosen: bool, known: ValidationInfo) -> bool:
        warm, size = known.data.get("warm", "off"), known.data.get("batch_size", 1)
        if chosen and (warm == "lines" or (warm == "off" and size > 1)):
            raise ValueError(
                "leaves no standard input, and --batch-size and --warm give lines on it"
            )
        return chosen

    @field_validator("return_codes")
    @classmethod
    def _in_one_list(cls, text: str, known: ValidationInfo) -> str:
        both = parse_codes(text) & parse_codes(known.data.get("reject_codes", ""))
        if both:
            raise ValueError(
                f"holds {min(both)}, which --reject-codes has, too; leave it in one of them"
            )
        return text

    @property
    def exit_codes(self) -> ExitCodes:
        """The outcome of each exit code of a worker."""
        return ExitCodes(
            rejecting=parse_codes(self.reject_codes), returning=parse_codes(self.return_codes)
        )

    @property
    def slots(self) -> int:
        """The number of concurrent workers; 1 for a container that exits after its job."""
        return 1 if self.writable_filesystem else self.concurrency


class ListenSettings(WatcherSettings):
    """Settings of `watchbot listen`."""

    queue_url: QueueUrls = option(
        ..., "Receive messages from this queue (required); repeatable.", "URL[=WEIGHT]"
    )
    queue_order: Literal["weighted", "strict"] = option(
        "weighted",
        "Share the workers among queues by weight, or take the first named queue first.",
        "weighted|strict",
    )
    notification_topic: TopicArn | None = option(None, "Publish failures to this SNS topic.", "ARN")
    dead_letter_queue_url: QueueUrl | None = option(
        None, "Let --max-attempts move messages to this queue; default: the queue's own.", "URL"
    )

    @field_validator("queue_url")
    @classmethod
    def _fits_fifo(cls, given: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        if any(is_fifo(share.url) for share in shares(given)):
            check_fifo(known.data)
        return given

    @property
    def queues(self) -> tuple[QueueShare, ...]:
        """The queues, in order."""
        return shares(self.queue_url)

    @property
    def ecs_agent_uri(self) -> str | None:
        """The URL of the ECS agent for task protection; None outside ECS, or if switched off."""
        return None if self.no_protection else os.environ.get("ECS_AGENT_URI") or None

    @property
    def ecs_metadata_uri(self) -> str | None:
        """The URL of the ECS agent's metadata of this container; None outside ECS."""
        return os.environ.get("ECS_CONTAINER_METADATA_URI_V4") or None

    @property
    def sends_traces(self) -> bool:
        """Whether OpenTelemetry's own variables name a collector and do not disable the SDK."""
        names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        return not off and any(os.environ.get(name) for name in names)
