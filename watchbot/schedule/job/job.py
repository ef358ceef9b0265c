"""Defines a job: the fields of the REST API, their types and limits, and exclusions."""

import contextlib
import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    NaiveDatetime,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from watchbot.errors import BadSchedule
from watchbot.schedule.cron import aps8
from watchbot.schedule.cron.dialects import Clock, Dialect, dialect_of, parse
from watchbot.schedule.cron.timetable import Dst, Timetable
from watchbot.schedule.cron.zone import find_zone
from watchbot.schedule.job.ecs_option import of_request
from watchbot.schedule.job.endpoints import JobQueueUrl
from watchbot.schedule.job.part import JobPart
from watchbot.schedule.job.target import OWN_ATTRIBUTES, TOLD_ATTRIBUTES, Target
from watchbot.schedule.job.task import (
    CapacityProvider,
    NetworkConfiguration,
    Overrides,
    overrides_bytes,
)
from watchbot.sqs.outgoing import MAX_ATTRIBUTES

MAX_TASKS = 50  # the most tasks that one run starts
_FAMILY = (
    r"^(?:[0-9A-Za-z_-]+(?::[0-9]+)?|arn:[a-z-]+:ecs:[a-z0-9-]*:[0-9]+:task-definition/[\w:-]+)\z"
)
_LETTERS, _LONGEST_NAME = "[0-9A-Za-z_-]+", 255  # of a job's name
_LONGEST_TIME = 64
_AS_IN_MAIL = re.compile(r"(?:\w{3}, ?)?\d{1,2} \w{3} \d{4} \d\d:\d\d(?::\d\d)? \S+", re.ASCII)
_TOKEN_LIFE_S = 82_800  # ECS keeps a token for 24 hours; one hour is our margin

_MOST_OVERRIDDEN = 8192  # ECS's limit in characters

Overlap = Literal["allow", "skip", "buffer_one", "replace", "top_up"]
Name = Annotated[str, StringConstraints(pattern=rf"^{_LETTERS}\z", max_length=_LONGEST_NAME)]
Family = Annotated[str, StringConstraints(pattern=_FAMILY, max_length=512)]
Cluster = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_:/-]+\z", max_length=255)]


def _whole(value: Any) -> Any:
    # ecs-scheduler reads 3.7 as 3.
    return int(value) if isinstance(value, float) and abs(value) < 1e9 else value


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "Not a valid integer.")
    return _whole(value)


def _truth(value: Any) -> Any:
    words = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
    return words.get(value.lower(), "") if isinstance(value, str) else value


def _moment(value: Any) -> Any:
    """Reads ISO 8601, also compact, and dates of HTTP: `Fri, 02 Jan 2026 03:04:05 GMT`."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and len(value) < _LONGEST_TIME:
        reader = parsedate_to_datetime if _AS_IN_MAIL.fullmatch(value) else datetime.fromisoformat
        with contextlib.suppress(ValueError, OverflowError):
            return reader(value.strip().upper())
    raise PydanticCustomError("datetime_type", "Not a valid datetime.")


def _in_utc(value: datetime) -> datetime:
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not 1970 <= moment.year <= 2199:
        raise PydanticCustomError("datetime_range", "The year must be from 1970 to 2199.")
    return moment


Count = Annotated[int, BeforeValidator(_no_flag), Field(ge=1, le=MAX_TASKS)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Moment = Annotated[
    AwareDatetime | NaiveDatetime,
    BeforeValidator(_moment),
    AfterValidator(_in_utc),
    PlainSerializer(datetime.isoformat, when_used="json"),
]


class Trigger(JobPart):
    """The source of the number of tasks: a constant, or the backlog of a queue."""

    type: str
    queue_name: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    messages_per_task: Annotated[int, BeforeValidator(_no_flag), Field(ge=1, le=10**9)] = 1

    @model_validator(mode="after")
    def _queue_is_named(self) -> "Trigger":
        if self.type == "sqs" and not self.queue_name:
            raise PydanticCustomError("schema", "sqs trigger type requires queueName field")
        return self


class Misfire(JobPart):
    """The policy for fires that passed while no scheduler ran."""

    policy: Literal["skip", "last", "all"] = "last"
    grace: Annotated[int, Field(ge=0, le=31_536_000)] = 3600  # s; a later fire is missed
    max: Annotated[int, Field(ge=1, le=1000)] = 100  # for `all`: runs only the newest


class Retry(JobPart):
    """How often and how long to try to start a run, and which queue gets a run that failed."""

    attempts: Annotated[int, Field(ge=1, le=185)] = 20
    max_age: Annotated[int, Field(ge=1, le=_TOKEN_LIFE_S)] = 3600  # s after the run's time
    dead_letter_queue: JobQueueUrl | None = None


class Job(JobPart):
    """A job: a target, and the schedule on which it starts."""

    id: Name
    # These fields come before `schedule`, because its validator reads them.
    timezone: str = "UTC"
    dialect: Dialect | None = None
    dst: Dst = "debian"
    schedule: str
    schedule_start: Moment | None = None
    schedule_end: Moment | None = None
    task_definition: Family | None = None
    cluster: Cluster | None = None
    task_count: Count = 1
    max_count: Count | None = None
    trigger: Trigger | None = None
    pass_due_at: Truth = True  # tasks and messages get the run's time
    overrides: Overrides = ()
    network_configuration: NetworkConfiguration | None = None
    launch_type: Literal["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"] | None = None
    capacity_provider_strategy: Annotated[tuple[CapacityProvider, ...], Field(max_length=20)] = ()
    platform_version: Annotated[str, StringConstraints(max_length=64)] | None = None
    tags: Annotated[Any, AfterValidator(of_request("tags"))] = None
    propagate_tags: Annotated[Any, AfterValidator(of_request("propagateTags"))] = None
    enable_ecs_managed_tags: Annotated[Truth | None, Field(alias="enableECSManagedTags")] = None
    enable_execute_command: Truth | None = None
    group: Annotated[Any, AfterValidator(of_request("group"))] = None
    reference_id: Annotated[Any, AfterValidator(of_request("referenceId"))] = None
    placement_constraints: Annotated[Any, AfterValidator(of_request("placementConstraints"))] = None
    placement_strategy: Annotated[Any, AfterValidator(of_request("placementStrategy"))] = None
    volume_configurations: Annotated[Any, AfterValidator(of_request("volumeConfigurations"))] = None
    target: Target | None = None
    suspended: Truth = False
    misfire: Misfire = Misfire()
    overlap: Overlap = "top_up"
    jitter: Annotated[int, Field(ge=0, le=86_400)] = 0  # s; delays a run by a random part of this
    retry: Retry = Retry()
    pause_after_failures: Annotated[int, Field(ge=1, le=1000)] | None = None
    remove_when_done: Truth = False  # once its last run has started well

    @field_validator("timezone", mode="before")
    @classmethod
    def _no_zone_is_utc(cls, value: Any) -> Any:
        return "UTC" if value == "" else value  # as in ecs-scheduler

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        try:
            find_zone(value)
        except BadSchedule:
            text = "Invalid timezone format: {zone}"
            raise PydanticCustomError("timezone", text, {"zone": value[:60]}) from None
        return value

    @field_validator("schedule")
    @classmethod
    def _schedule_is_read(cls, value: str, info: ValidationInfo) -> str:
        others = info.data
        if "dialect" not in others:
            return value  # another validator refuses it
        # With a wrong zone, still checks the schedule, so that one answer has all errors.
        clock = Clock(timezone=others.get("timezone", "UTC"), dst=others.get("dst", "debian"))
        try:
            parse(value, others["dialect"], clock)
        except BadSchedule as error:
            raise PydanticCustomError("schedule", "{text}", {"text": str(error)}) from None
        return value

    @field_validator("schedule_end")
    @classmethod
    def _end_is_later(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("schedule_start")
        if value and start and value <= start:
            raise PydanticCustomError("schedule_end", "Must be after scheduleStart.")
        return value

    @field_validator("overrides")
    @classmethod
    def _overrides_fit(cls, value: Overrides, info: ValidationInfo) -> Overrides:
        job_id = info.data.get("id", "")
        told = {"WATCHBOT_JOB": job_id, "WATCHBOT_DUE_AT": "2" * 24, "WATCHBOT_RUN_CAUSE": "s" * 8}
        if overrides_bytes(value, job_id, told) > _MOST_OVERRIDDEN:
            raise PydanticCustomError("overrides", "Longer than the 8192 characters of ECS.")
        return value

    @field_validator("capacity_provider_strategy")
    @classmethod
    def _one_way_to_launch(
        cls, value: tuple[CapacityProvider, ...], info: ValidationInfo
    ) -> tuple[CapacityProvider, ...]:
        if value and info.data.get("launch_type"):
            raise PydanticCustomError("capacity", "Give this or launchType, not both.")
        return value

    @field_validator("launch_type")
    @classmethod
    def _fargate_has_a_network(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value == "FARGATE" and info.data.get("network_configuration") is None:
            raise PydanticCustomError("network", "FARGATE needs a networkConfiguration.")
        return value

    @field_validator("target")
    @classmethod
    def _one_target(cls, value: Target | None, info: ValidationInfo) -> Target | None:
        others = info.data
        if value and others.get("task_definition"):
            raise PydanticCustomError("target", "Give this or taskDefinition, not both.")
        room = MAX_ATTRIBUTES - OWN_ATTRIBUTES - TOLD_ATTRIBUTES
        if value and others.get("pass_due_at") and len(value.attributes) > room:
            text = "With passDueAt, at most {room} attributes; without, {more}."
            facts = {"room": room, "more": room + TOLD_ATTRIBUTES}
            raise PydanticCustomError("target", text, facts)
        return value

    @property
    def family(self) -> str:
        """The task definition to run; by default the one with the job's name."""
        return self.task_definition or self.id

    def timetable(self, created: datetime) -> Timetable:
        """The job's timetable; `rate(...)` counts from the job's start, or from its creation."""
        clock = Clock(timezone=self.timezone, dst=self.dst, anchor=self.schedule_start or created)
        return parse(self.schedule, self.dialect, clock)

    def fires(self, after: datetime, created: datetime) -> Iterator[datetime]:
        """Yields the fires after `after`, in order, between the job's start and its end."""
        timetable = self.timetable(created)
        if self.schedule_start:
            after = max(after, self.schedule_start - timedelta(milliseconds=1))
        while found := timetable.next(after):
            if self.schedule_end and found > self.schedule_end:
                return
            yield found
            after = found

    def stored(self) -> str:
        """The job as JSON, without fields that were not given."""
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)


def is_name(text: str) -> bool:
    """Whether `text` can be a job's name. Check before asking a store, which may refuse it."""
    return len(text) <= _LONGEST_NAME and re.fullmatch(_LETTERS, text) is not None


def resolved(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body, with a random number for each `?` of an aps8 schedule."""
    text = fields.get("schedule")
    if isinstance(text, str) and (fields.get("dialect") or dialect_of(text)) == "aps8":
        return {**fields, "schedule": aps8.resolve(text)}
    return fields


@functools.lru_cache(maxsize=512)
def read_job(text: str) -> Job:
    """Reads a stored job. Raises pydantic's `ValidationError`."""
    return Job.model_validate_json(text)
