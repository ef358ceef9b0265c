"""The base of every settings class: how an option is found, named and refused.

The flag wins over the variable `WATCHBOT_SOME_NAME`, this over ecs-watchbot's variable, this over
the default. Only this folder reads our variables.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, TypeVar, get_origin
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic import ValidationError as Invalid
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from watchbot.address import bare
from watchbot.errors import SettingError
from watchbot.settings.service_links import service_link
from watchbot.settings.whereabouts import elsewhere_than_aws, whereabouts

MAX_VARIABLE_BYTES = 131_072  # Linux refuses a longer `NAME=VALUE\0` (MAX_ARG_STRLEN)
TWELVE_HOURS_S = 43_200  # no message stays hidden, or waits, longer than this in SQS

OLD_NAMES = {  # ecs-watchbot's names of options
    "queue_url": "QueueUrl",
    "max_job_duration": "maxJobDuration",
    "volumes": "Volumes",
    "writable_filesystem": "writableFilesystem",
    "notification_topic": "NotificationTopic",
    "structured_logging": "structuredLogging",
    "progress_table": "ProgressTable",
    "work_topic": "WorkTopic",
}


def variables(name: str) -> tuple[str, ...]:
    """The environment variables that set the option `name`; the first that is set wins."""
    old = OLD_NAMES.get(name)
    return (f"WATCHBOT_{name.upper()}", *([old] if old else []))


def flag(name: str) -> str:
    """The flag of the option `name` on the command line."""
    return "--" + name.replace("_", "-")


def repeats(field: FieldInfo) -> bool:
    """Whether the user repeats the option's flag for each item."""
    return get_origin(field.annotation) is tuple or field.annotation == dict[str, Any]


def split(value: object) -> object:
    """The parts of a text between commas, or of several texts: a flag may be repeated."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return value
    parts = (part.strip() for text in texts for part in str(text).split(","))
    return tuple(part for part in parts if part)


def option(default: Any, text: str, metavar: str | None = None, **limits: Any) -> Any:
    """A field of a settings class: its help text, the word for its value, its limits."""
    return Field(default, description=text, json_schema_extra={"metavar": metavar}, **limits)


def is_web_url(value: str) -> bool:
    """Whether this is a URL of HTTP, with a host, and a port that there is."""
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address between them, or a port over 65,535
        return False


def queue_url(value: str) -> str:
    """The URL of a queue. Raises `ValueError` for any other text."""
    if not is_web_url(value) or len(urlsplit(value).path) < 2:
        raise ValueError(
            f"must be the URL of a queue, like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME, "
            f"not {value!r}"
        )
    return value


def _endpoint_url(value: str) -> str:
    if not is_web_url(value):
        raise ValueError(f"must be a URL, like http://127.0.0.1:4566, not {value!r}")
    return value


def _topic_arn(value: str) -> str:
    if not re.fullmatch(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+(\.fifo)?", value):
        raise ValueError(
            f"must be the ARN of a topic, like arn:aws:sns:REGION:ACCOUNT:NAME, not {value!r}"
        )
    return value


def _public_url(value: str) -> str:
    if not is_web_url(value) or urlsplit(value).path.strip("/"):
        raise ValueError(
            f"must be the address of a site, like https://jobs.example.com, not {value!r}"
        )
    return value.rstrip("/")


def _fits_a_header(token: str) -> str:
    bare_token = token.strip()  # a file's last newline
    if not re.fullmatch(r"[!-~]+", bare_token):
        raise ValueError("must be one word of ASCII characters; the one that was given is not")
    return bare_token


ShownToken = Annotated[str, AfterValidator(_fits_a_header)]  # which we send to others
PublicUrl = Annotated[str, AfterValidator(_public_url)]
EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
QueueUrl = Annotated[str, AfterValidator(queue_url)]
TopicArn = Annotated[str, AfterValidator(_topic_arn)]
Host = Annotated[str, AfterValidator(bare)]
Port = Annotated[int, Field(ge=0, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsEndpoint:
    """The region and the server of the calls to AWS; None leaves the choice to boto.

    The user chose `region`. `default_region` is for calls whose region nothing else tells.
    """

    region: str | None = None
    endpoint_url: str | None = None
    default_region: str | None = None

    @property
    def servers(self) -> tuple[str, ...]:
        """The URLs of servers that the user chose in place of AWS."""
        named = (os.environ.get(f"AWS_ENDPOINT_URL{suffix}") for suffix in ("", "_SQS", "_SNS"))
        return tuple(url for url in (self.endpoint_url, *named) if url)

    def near(self, address: str) -> "AwsEndpoint":
        """This endpoint, with region and server from a queue URL or ARN where the user set none.

        Use it for SQS, and for the resource of an ARN: the server in a queue URL knows no other
        service.
        """
        here = self.in_region_of(address)
        chosen = os.environ.get("AWS_ENDPOINT_URL_SQS") or os.environ.get("AWS_ENDPOINT_URL")
        server = whereabouts(address).server
        return (
            here
            if chosen or not server
            else replace(here, endpoint_url=here.endpoint_url or server)
        )

    def beside(self, queue_url: str) -> "AwsEndpoint | None":
        """This endpoint, for the other services of a queue's region.

        None if the queue is on a server that is not AWS's, and the user chose no server for all
        services: nobody would expect a call to AWS itself.
        """
        chosen = self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
        foreign = elsewhere_than_aws(queue_url) is not None
        return None if foreign and not chosen else self.in_region_of(queue_url)

    def in_region_of(self, address: str) -> "AwsEndpoint":
        """This one, with the region of a queue URL or ARN where none is set."""
        return replace(self, region=self.region or whereabouts(address).region)


def asks_for_json(words: Sequence[str]) -> bool:
    """Whether a flag or variable asks for JSON logs, read before the options are parsed."""
    values = (os.environ.get(name) for name in variables("structured_logging"))
    value = next((value for value in values if value), "")
    return flag("structured_logging") in words or value.lower() in {"1", "true", "t", "yes", "on"}


class SettingSource(PydanticBaseSettingsSource):
    """A source of values by field; leaves out fields without a value."""

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


class _Environment(SettingSource):
    """Reads `variables()`, case-sensitive; an empty variable counts as not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        values = (os.environ.get(variable) for variable in variables(field_name))
        value = next((value for value in values if value), None)
        one_of_many = value is not None and repeats(field)
        return (value,) if one_of_many else value, field_name, False


class Settings(BaseSettings):
    """The settings that all services share: region and endpoint."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    # Options that exclude each other: the flag of one wins over the variables of the others.
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

    # Flags of other programs, by option.
    old_flags: ClassVar[Mapping[str, str]] = {}

    region: str | None = option(
        None, "Use this AWS region; default: AWS_REGION, or the queue's.", "NAME"
    )
    endpoint_url: EndpointUrl | None = option(
        None, "Call this server instead of AWS; default: AWS_ENDPOINT_URL.", "URL"
    )

    @property
    def aws(self) -> AwsEndpoint:
        """The AWS region and endpoint from `--region`, `--endpoint-url` and AWS_REGION."""
        # Every other AWS tool knows AWS_REGION; boto alone reads AWS_DEFAULT_REGION only.
        default_region = os.environ.get("AWS_REGION") or None
        return AwsEndpoint(
            region=self.region, endpoint_url=self.endpoint_url, default_region=default_region
        )


SomeSettings = TypeVar("SomeSettings", bound=Settings)


def load(kind: type[SomeSettings], given: Mapping[str, Any]) -> SomeSettings:
    """The settings: from `given` (flags, by field name), else the environment, else defaults.

    Raises `SettingError` for the first bad or missing setting, naming its flag and variables.
    """
    chosen = {name for name in kind.rivals if given.get(name) is not None}
    # A watcher sets the old variables, QueueUrl for one, in each worker; users set the others.
    chosen = chosen or {name for name in kind.rivals if os.environ.get(variables(name)[0])}
    others = [name for name in kind.rivals if chosen and name not in chosen]
    aside = {name: kind.model_fields[name].default for name in others}
    try:
        return kind(**{**aside, **given})
    except Invalid as invalid:
        first = invalid.errors(include_url=False)[0]
        name = str(first["loc"][0])
        link = service_link(variables(name)[0], first.get("input"))
        raise SettingError(describe(name), link or _problem(first)) from None


def describe(name: str) -> str:
    """An option's flag and variables: `--queue-url (WATCHBOT_QUEUE_URL, QueueUrl)`."""
    return f"{flag(name)} ({', '.join(variables(name))})"


_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}


def _problem(error: Any) -> str:
    given = error.get("input")
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing; set the flag or a variable"
    if kind == "extra_forbidden":
        return "is no option"
    if kind == "value_error":
        return str(limits["error"])
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return f"must be {words} {str(limits[limit]).removesuffix('.0')}, not {given}"
    if kind == "literal_error":
        return f"must be {limits['expected']}, not {given!r}"
    wants = {
        "string_type": "a text",
        "int_type": "a whole number",
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "finite_number": "a whole number",
        "float_parsing": "a number",
        "bool_type": "true or false",
        "bool_parsing": "true or false",
    }
    return f"must be {wants.get(kind, error['msg'])}, not {given!r}"
