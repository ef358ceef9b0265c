"""Settings: one frozen class per service. Flags, variables and the reference page come from here.

A value is taken from the flag, else from the variable `WATCHBOT_SOME_NAME`, else from the name
that ecs-watchbot had, else it is the default. This module alone reads our variables.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic import ValidationError as Invalid
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from watchbot.errors import SettingError

TWELVE_HOURS_S = 43_200  # no message stays hidden, or waits, longer than this in SQS

OLD_NAMES = {  # what ecs-watchbot called it
    "queue_url": "QueueUrl",
    "max_job_duration": "maxJobDuration",
    "volumes": "Volumes",
    "writable_filesystem": "writableFilesystem",
    "notification_topic": "NotificationTopic",
    "structured_logging": "structuredLogging",
}


_AWS_QUEUE_HOST = r"https?://(?:sqs\.([a-z0-9-]+)|[a-z0-9-.]*queue)\.amazonaws\.com"


def variables(name: str) -> tuple[str, ...]:
    """The environment variables that set the option `name`, the first to be found wins."""
    old = OLD_NAMES.get(name)
    return (f"WATCHBOT_{name.upper()}", *([old] if old else []))


def flag(name: str) -> str:
    """How the option `name` is written on the command line."""
    return "--" + name.replace("_", "-")


def _option(default: Any, text: str, metavar: str | None = None, **limits: Any) -> Any:
    return Field(default, description=text, json_schema_extra={"metavar": metavar}, **limits)


def usable_cpus() -> int:
    """The CPUs that this process may use, container limits counted; at least 1."""
    cpus = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    quota = _cgroup_quota()
    return max(1, int(min(cpus, quota) if quota else cpus))


def _cgroup_quota() -> float | None:
    root = Path("/sys/fs/cgroup")
    try:
        allowed, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            allowed = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return int(allowed) / int(period) if allowed.isdigit() and int(period) else None


def _concurrency(value: object) -> object:
    if isinstance(value, str):
        if value.strip().lower() == "auto":
            return usable_cpus()
        if not re.fullmatch(r"\s*[+-]?\d+\s*", value):
            raise ValueError(f"must be a whole number from 1, or 'auto', not {value!r}")
    return value


def _queue_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or len(parts.path) < 2:
        raise ValueError(
            f"must be the URL of a queue, like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME, "
            f"not {value!r}"
        )
    return value


def _endpoint_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"must be a URL, like http://127.0.0.1:4566, not {value!r}")
    return value


def _topic_arn(value: str) -> str:
    if not re.fullmatch(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+(\.fifo)?", value):
        raise ValueError(
            f"must be the ARN of a topic, like arn:aws:sns:REGION:ACCOUNT:NAME, not {value!r}"
        )
    return value


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _volume(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"{str(path)!r} is not a directory; name directories that exist")
    if path.resolve() == Path("/"):
        raise ValueError("'/' would empty the whole machine; name the directory workers write to")
    return path.resolve()


EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
QueueUrl = Annotated[str, AfterValidator(_queue_url)]
TopicArn = Annotated[str, AfterValidator(_topic_arn)]
Volumes = Annotated[
    tuple[Annotated[Path, AfterValidator(_volume)], ...],
    BeforeValidator(_split),
]
Port = Annotated[int, Field(ge=0, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where AWS is. None leaves it to boto: its variables, its files, the machine's role.

    `region` was asked for; `default_region` is what to take when nothing better is known.
    """

    region: str | None = None
    endpoint_url: str | None = None
    default_region: str | None = None

    def near(self, place: str) -> "Account":
        """The same where a queue URL or an ARN says that it is, unless that was asked for.

        Its region is taken from it; and a queue URL that is not AWS's own, as of a VPC endpoint
        or of a server on this machine, says which server to ask.
        """
        named = re.match(rf"{_AWS_QUEUE_HOST}|arn:[^:]*:[^:]*:([a-z0-9-]+):", place)
        if named:
            return replace(self, region=self.region or named[1] or named[2])
        chosen = os.environ.get("AWS_ENDPOINT_URL_SQS") or os.environ.get("AWS_ENDPOINT_URL")
        if self.endpoint_url or chosen or not place.startswith("http"):
            return self
        parts = urlsplit(place)
        return replace(self, endpoint_url=f"{parts.scheme}://{parts.netloc}")


class _Environment(PydanticBaseSettingsSource):
    """Reads `variables()`, as they are spelled; an empty one counts as not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        values = (os.environ.get(variable) for variable in variables(field_name))
        value = next((value for value in values if value), None)
        one_of_many = value is not None and field.annotation == tuple[str, ...]
        return (value,) if one_of_many else value, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """What all services share: how a setting is found, and where AWS is."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    # Options of which one sets the others aside: a flag counts before a variable of its rivals.
    rivals: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)

    region: str | None = _option(None, "AWS region; else AWS_REGION, or the queue's.", "NAME")
    endpoint_url: EndpointUrl | None = _option(
        None, "Where AWS is, if not at AWS; else AWS_ENDPOINT_URL.", "URL"
    )

    @property
    def account(self) -> Account:
        """Where AWS is, as `--region`, `--endpoint-url` and AWS_REGION say."""
        # Every other AWS tool knows AWS_REGION; boto alone reads AWS_DEFAULT_REGION only.
        default_region = os.environ.get("AWS_REGION") or None
        return Account(
            region=self.region, endpoint_url=self.endpoint_url, default_region=default_region
        )


class WatcherSettings(Settings):
    """How a watcher treats messages and workers, wherever its queue is."""

    concurrency: Annotated[int, BeforeValidator(_concurrency)] = _option(
        1, "Workers at once; auto: the CPUs this container may use.", "N|auto", ge=1, le=10_000
    )
    visibility_timeout: int = _option(
        180, "How long a message stays ours without a heartbeat.", "S", ge=1, le=TWELVE_HOURS_S
    )
    max_job_duration: float = _option(
        0, "Ends a worker that runs longer; 0: SQS's 12 hours.", "S", ge=0, le=TWELVE_HOURS_S
    )
    kill_grace: float = _option(10, "From SIGTERM to SIGKILL for a worker.", "S", ge=0, le=3600)
    drain_timeout: float = _option(
        25,
        "What running workers get when the watcher is told to stop.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    volumes: Volumes = _option((), "Directories emptied after every job.", "PATH,PATH")
    writable_filesystem: bool = _option(
        False, "Leave after one job, so that the next gets a fresh container."
    )
    structured_logging: bool = _option(False, "Log JSON objects, one a line.")
    log_bodies: bool = _option(False, "Log the body of each message received.")
    metrics_port: Port | None = _option(
        None, "Serve /metrics, /healthz and /readyz here; 0: any free port.", "PORT"
    )
    metrics_host: str = _option("0.0.0.0", "The address they are served on.", "ADDRESS")
    exit_when_empty: bool = _option(False, "Leave when the queue is empty and all work is done.")
    max_backoff: int = _option(
        TWELVE_HOURS_S,
        "A returned message waits 2^receives seconds, at most this.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    poll_wait: int = _option(20, "How long a receive waits for messages.", "S", ge=0, le=20)
    on_lost_lease: Literal["continue", "kill"] = _option(
        "continue",
        "What a worker does whose message may run elsewhere, too.",
        "continue|kill",
    )
    no_protection: bool = _option(False, "Do not ask ECS to spare this task while workers run.")
    give_up_after: float = _option(
        300, "Leave, exit 1, once AWS has refused for so long.", "S", ge=0, le=TWELVE_HOURS_S
    )
    breaker: int = _option(
        5, "Stop receiving when so many first messages fail alike; 0: never.", "N", ge=0, le=1000
    )
    shell: bool = _option(False, "Join the words and give them to /bin/sh -c.")


class ListenSettings(WatcherSettings):
    """`watchbot listen`."""

    queue_url: QueueUrl = _option(..., "The queue to work on (required).", "URL")
    notification_topic: TopicArn | None = _option(
        None, "The SNS topic that is told about failures.", "ARN"
    )

    @property
    def ecs_agent_uri(self) -> str | None:
        """Where the agent of ECS answers that protects this task, if it is to be asked."""
        return None if self.no_protection else os.environ.get("ECS_AGENT_URI") or None


class LocalSettings(WatcherSettings):
    """`watchbot local`. Its polls are short and its drain is none: somebody sits before it."""

    drain_timeout: float = _option(
        0, "What running workers get at the first Ctrl-C.", "S", ge=0, le=TWELVE_HOURS_S
    )
    poll_wait: int = _option(3, "How long a receive waits for messages.", "S", ge=0, le=20)
    send: tuple[str, ...] = _option((), "Publish this message; may be given often.", "BODY")
    send_file: Path | None = _option(None, "Publish each line of this file.", "LINES")
    fifo: bool = _option(False, "Use a FIFO queue and a FIFO topic.")
    port: Port = _option(0, "Serve the embedded AWS here; 0: any free port.", "PORT")


class SendSettings(Settings):
    """`watchbot send`."""

    rivals = ("topic_arn", "queue_url")  # a worker has QueueUrl in its variables
    topic_arn: TopicArn | None = _option(None, "The topic to publish to.", "ARN")
    queue_url: QueueUrl | None = _option(None, "The queue to send to.", "URL")
    subject: str | None = _option(None, "The subject of the message.", "TEXT")
    attribute: tuple[str, ...] = _option(
        (), "A message attribute; K:Number=V and K:Binary=BASE64 too.", "K=V"
    )
    group_id: str | None = _option(None, "The message group (FIFO: required).", "ID")
    dedup_id: str | None = _option(None, "The deduplication id (FIFO; else a new one).", "ID")
    file: str | None = _option(None, "Send each line of this file; -: standard input.", "LINES")
    body: str | None = None


class DoctorSettings(ListenSettings):
    """`watchbot doctor`. It takes what `listen` takes, and checks what that would do."""

    topic: TopicArn | None = _option(None, "The SNS topic that feeds the queue.", "ARN")
    stop_timeout: float = _option(
        30,
        "From SIGTERM to SIGKILL for the container; ECS: its stopTimeout.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )

    @property
    def in_ecs(self) -> bool:
        """Whether this is a container of ECS."""
        return bool(os.environ.get("ECS_CONTAINER_METADATA_URI_V4"))

    @property
    def variables_bytes(self) -> int:
        """What our own variables take up in every worker."""
        return sum(len(name) + len(value) + 2 for name, value in os.environb.items())


def point_at(account: Account) -> None:
    """Points this process, and every process it starts, at a server that checks no credentials.

    What a worker does by boto or the `aws` command then stays there, too.
    """
    os.environ.update(
        {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": account.region or "us-east-1",
            "AWS_DEFAULT_REGION": account.region or "us-east-1",
            "AWS_ENDPOINT_URL": account.endpoint_url or "",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        }
    )
    for name in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_SNS",
    ):
        os.environ.pop(name, None)


SomeSettings = TypeVar("SomeSettings", bound=Settings)


def load(kind: type[SomeSettings], given: Mapping[str, Any]) -> SomeSettings:
    """The settings, `given` (from flags, by field name) before the environment before defaults.

    Raises `SettingError` for the first bad or missing one, naming its flag and variables.
    """
    chosen = any(given.get(name) is not None for name in kind.rivals)
    aside = dict.fromkeys(kind.rivals if chosen else ())
    try:
        return kind(**{**aside, **given})
    except Invalid as invalid:
        first = invalid.errors(include_url=False)[0]
        raise SettingError(describe(str(first["loc"][0])), _problem(first)) from None


def describe(name: str) -> str:
    """The option as a person may set it: `--queue-url (WATCHBOT_QUEUE_URL, QueueUrl)`."""
    return f"{flag(name)} ({', '.join(variables(name))})"


def _problem(error: Any) -> str:
    given = error.get("input")
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing; set the flag or a variable"
    if kind == "value_error":
        return str(limits["error"])
    if kind == "greater_than_equal":
        return f"must be at least {limits['ge']}, not {given}"
    if kind == "less_than_equal":
        return f"must be at most {limits['le']}, not {given}"
    if kind == "literal_error":
        return f"must be {limits['expected']}, not {given!r}"
    wants = {
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "float_parsing": "a number of seconds",
        "bool_parsing": "true or false",
    }
    return f"must be {wants.get(kind, error['msg'])}, not {given!r}"
