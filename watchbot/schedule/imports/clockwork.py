"""Converts rows of clockwork's table and properties of its custom resource to fields of a job.

A row of clockwork has five texts. Fields of a job without such a text are in a sixth text, `job`,
as JSON, which clockwork itself ignores.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from watchbot.errors import BadSchedule
from watchbot.schedule.cron.dialects import dialect_of
from watchbot.schedule.job.ecs_option import typed
from watchbot.schedule.job.job import Job

_OLD = {"CronTime": "schedule", "TaskDefinitionArn": "taskDefinition", "ECSClusterArn": "cluster"}
_NEW = {
    f"{field.alias[:1].upper()}{field.alias[1:]}"
    for field in Job.model_fields.values()
    if field.alias and field.alias != "id"
}
_ABOUT_ITSELF = {"ServiceToken", "ServiceTimeout", "SchedulerDynamoDBTable", "Region", "Name"}


def fields_of_row(texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a row's job, without its id. Raises `ValueError` for a row without a job."""
    if not texts.get("cron_time") and "job" not in texts:
        raise ValueError("it has no cron_time")
    try:
        more = json.loads(texts.get("job", "{}"))
    except RecursionError:
        raise ValueError("its attribute job is nested too deep") from None
    if not isinstance(more, dict):
        raise ValueError("its attribute job is no JSON object")
    fields = {
        "schedule": texts.get("cron_time"),
        "dialect": "cron",
        "taskDefinition": texts.get("definition_arn"),
        "cluster": texts.get("ecs_cluster_arn"),
        # Clockwork started a task at each time, even while an earlier task ran.
        "overlap": "allow",
        **more,
    }
    return {name: value for name, value in fields.items() if value}


def row_of_fields(job_id: str, name: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """The row of a job; clockwork can read it, except for features that clockwork lacks."""
    texts = {
        "id": job_id,
        "name": name,
        "cron_time": fields["schedule"],
        "definition_arn": fields.get("taskDefinition"),
        "ecs_cluster_arn": fields.get("cluster"),
        "last_updated": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "job": json.dumps(fields),
    }
    return {column: text for column, text in texts.items() if text}


def fields_of_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a job from the properties of a custom resource.

    Raises `BadSchedule` for an unknown property, and for one given under both its names.
    """
    fields: dict[str, Any] = {"overlap": "allow"}
    for name, value in properties.items():
        if name in _ABOUT_ITSELF:
            continue
        if name not in _NEW and name not in _OLD:
            raise BadSchedule(f"there is no property {name}")
        field = _OLD.get(name) or _camel(name)
        if field in fields and field != "overlap":
            raise BadSchedule(f"{name} is given twice, under its old name and its new one")
        fields[field] = typed(field, _with_camels(value))
    schedule = fields.get("schedule")
    if isinstance(schedule, str):
        fields.setdefault("dialect", dialect_of(schedule, otherwise="cron"))
    return fields


def _with_camels(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_camels(each) for each in value]
    if not isinstance(value, dict):
        return value
    # The names in an environment are the user's own.
    return {
        _camel(name): each if _is_own(name, each) else _with_camels(each)
        for name, each in value.items()
    }


def _is_own(name: str, value: Any) -> bool:
    return name == "Environment" and isinstance(value, dict)


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]
