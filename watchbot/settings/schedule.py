"""The settings of `watchbot schedule`, and how it reads the variables of ecs-scheduler."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from watchbot.errors import SettingError
from watchbot.settings.base import (
    TWELVE_HOURS_S,
    Host,
    Port,
    PublicUrl,
    Settings,
    SettingSource,
    TopicArn,
    describe,
    flag,
    option,
    variables,
)

_TAKEN: Mapping[
    str, tuple[str, Callable[[str], str]]
] = {  # variables of ecs-scheduler, and the options they set
    "ECSS_ECS_CLUSTER": ("cluster", str),
    "ECSS_NAME": ("old_started_by", str),
    "ECSS_SQLITE_FILE": ("database", lambda path: f"sqlite:///{path}"),
}
_IMPORT = "jobs are kept in --database; move them with `watchbot schedule import`"
_LEFT: Mapping[str, str] = {  # variables that set nothing, and what to do instead
    "ECSS_LOG_LEVEL": "logs go to standard output, all of them",
    "ECSS_LOG_FOLDER": "logs go to standard output",
    "ECSS_S3_BUCKET": _IMPORT,
    "ECSS_S3_PREFIX": _IMPORT,
    "ECSS_DYNAMODB_TABLE": _IMPORT,
    "ECSS_ELASTICSEARCH_INDEX": _IMPORT,
    "ECSS_ELASTICSEARCH_HOSTS": _IMPORT,
    "ECSS_CONFIG_FILE": _IMPORT,
}


class _EcsScheduler(SettingSource):
    """Reads ecs-scheduler's variables; `{NAME}` in a value stands for another variable."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        for variable, (name, meant) in _TAKEN.items():
            text = os.environ.get(variable)
            if name == field_name and text:
                return meant(_filled(variable, text)), field_name, False
        return None, field_name, False


class StoreSettings(Settings):
    """The store of jobs and runs."""

    database: str = option(
        "sqlite:///schedule.db",
        "Keep jobs and runs in sqlite:///FILE, postgresql://... or dynamodb://TABLE.",
        "URL",
        repr=False,
    )
    allow_endpoint: tuple[str, ...] = option(
        (), "Let jobs also name queues on this server, beside AWS's own.", "HOST[:PORT]"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources = super().settings_customise_sources(
            settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
        )
        return (*sources, _EcsScheduler(settings_cls))


class ImportSettings(StoreSettings):
    """Settings of `watchbot schedule import`."""

    source: str = option(
        ...,
        "Read FILE.json, sqlite:///FILE, s3://BUCKET/PREFIX, dynamodb://TABLE or http://HOST/INDEX.",
        "SOURCE",
    )
    dry_run: bool = option(False, "Print what an import would store, and store nothing.")


class ScheduleSettings(StoreSettings):
    """Settings of `watchbot schedule`."""

    local: bool = option(False, "Use an embedded AWS on this machine instead of the real one.")
    cluster: str = option("default", "Run jobs that name no cluster in this ECS cluster.", "NAME")
    port: Port = option(5000, "Serve the API on this port; 0: any free port.", "PORT")
    host: Host = option("127.0.0.1", "Serve the API on this address.", "ADDRESS")
    token: str | None = option(
        None, "Require this token: as a bearer token, or as the password.", "TOKEN", repr=False
    )
    public_url: PublicUrl | None = option(
        None, "Answer to this address, under which a proxy serves the API.", "URL"
    )
    cors_origin: tuple[str, ...] = option(
        (), "Let web pages of this origin use the API; *: of any origin.", "ORIGIN"
    )
    concurrency: int = option(20, "Start at most N runs at once.", "N", ge=1, le=500)
    drain_timeout: float = option(
        25,
        "Let runs in hand finish for at most this long on shutdown.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )
    retention: float = option(30, "Delete runs older than this.", "DAYS", gt=0, le=36_500)
    notification_topic: TopicArn | None = option(
        None, "Publish failed runs to this SNS topic.", "ARN"
    )
    old_started_by: str = option(
        "ecs-scheduler", "Count tasks that ecs-scheduler started under this name as ours.", "NAME"
    )
    stacks_table: str | None = option(
        None, "Take over the schedules that stacks declare in this DynamoDB table.", "NAME"
    )
    structured_logging: bool = option(False, "Write each log line as a JSON object.")
    metrics_port: Port | None = option(
        None, "Serve /metrics, /healthz and /readyz on this port; 0: any free port.", "PORT"
    )
    metrics_host: Host = option("0.0.0.0", "Listen on this address.", "ADDRESS")


def old_variables() -> list[str]:
    """A sentence for each variable of ecs-scheduler that is set."""
    told = [
        f"{variable} still works; set {flag(name)} or {variables(name)[0]} instead"
        for variable, (name, _) in _TAKEN.items()
        if os.environ.get(variable)
    ]
    return told + [
        f"{variable} is not used: {instead}"
        for variable, instead in _LEFT.items()
        if os.environ.get(variable)
    ]


def _filled(variable: str, text: str) -> str:
    try:
        return text.format(**os.environ)
    except (KeyError, IndexError, ValueError, AttributeError):
        name = _TAKEN[variable][0]
        raise SettingError(
            describe(name), f"{variable} names a variable in braces that is not set"
        ) from None
