"""Prepares the fields of a job in a body for the check: drops some and renames some."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from watchbot.schedule.cron.dialects import Dialect, dialect_of
from watchbot.schedule.http.body import BadBody
from watchbot.schedule.job.endpoints import Endpoints
from watchbot.schedule.job.job import Job, resolved
from watchbot.schedule.job.problems import messages

# Fields of answers only. A client that changes a job sends them back, and the API ignores them.
SHOWN = frozenset(
    "estimatedNextRun lastRun lastRunTasks link nextFires note parsedSchedule scheduleReads "
    "scheduleWarning".split()
)
_OLD_NAMES = {"scheduledEnd": "scheduleEnd"}  # the misspelling in ecs-scheduler's description
_MISSING = "Missing data for required field."


def new_job(
    given: Mapping[str, Any], otherwise: Dialect, endpoints: Endpoints | None = None
) -> Job:
    """The job that a body describes. `otherwise` is the dialect of a schedule without `dialect`.

    `endpoints` are the servers that the job may name; None: any.

    Raises `ValidationError` or `BadBody`.
    """
    fields = without_nulls(taken(given))
    if "id" not in fields and "taskDefinition" in fields:
        fields["id"] = fields["taskDefinition"]
    if "id" not in fields and "target" not in fields:
        raise BadBody({"taskDefinition": [_MISSING], **_others_wrong(fields)})
    return Job.model_validate(resolved(_in_dialect(fields, given, otherwise)), context=endpoints)


def changed_job(
    old: Mapping[str, Any],
    given: Mapping[str, Any],
    otherwise: Dialect,
    endpoints: Endpoints | None = None,
) -> Job:
    """The job that results from an old job's fields and a body. Raises `ValidationError`."""
    merged = without_nulls({**old, **taken(given), "id": old["id"]})
    return Job.model_validate(resolved(_in_dialect(merged, given, otherwise)), context=endpoints)


def taken(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the API reads, each under its current name."""
    return {_OLD_NAMES.get(name, name): value for name, value in given.items() if name not in SHOWN}


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without nulls, because null unsets a field."""
    return {name: value for name, value in fields.items() if value is not None}


def _in_dialect(
    fields: dict[str, Any], given: Mapping[str, Any], otherwise: Dialect
) -> dict[str, Any]:
    text = given.get("schedule")
    # A schedule in ecs-scheduler's dialect, without `dialect`, is stored without it.
    if otherwise == "aps8" or not isinstance(text, str) or "dialect" in fields:
        return fields
    return {**fields, "dialect": dialect_of(text, otherwise)}


def _others_wrong(fields: Mapping[str, Any]) -> dict[str, Any]:
    try:
        Job.model_validate({**fields, "id": "unnamed"})
    except ValidationError as invalid:
        return messages(invalid, Job)
    return {}
