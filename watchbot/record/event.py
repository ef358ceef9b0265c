"""Reads the events of ECS strictly: a state of a task, or an event of another kind."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from watchbot.moment import to_text

TASK_EVENT = "ECS Task State Change"
STOPPED = "STOPPED"

MAX_WHOLE = 2**63 - 1
MAX_EXIT_CODE = 2**31 - 1
MAX_KEY_CHARS = 1024  # the most that an index takes; ARNs of ECS are far shorter


class Unreadable(Exception):
    """The message holds no event that can be stored; `str()` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A version of a task. `row` holds the columns of `ecs_task` and of its history."""

    task_arn: str
    version: int
    row: Mapping[str, Any]
    containers: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEvent:
    """An event that is stored unchanged."""

    row: Mapping[str, Any]


Event = TaskState | OtherEvent


def read(body: str, message_id: str) -> Event:
    """The event in a message's body: a whole event, or only its `detail`.

    An event without an id gets `message_id`. Raises `Unreadable`.
    """
    document = _parse(body)
    if "detail" not in document and "detail-type" not in document:
        document = _enveloped(document)
    kind = _text(document, "detail-type") or _refuse("detail-type", "is missing")
    event_id = _text(document, "id") or message_id
    received_at = to_text(datetime.now(UTC))
    event_time = _moment(document, "time")
    if kind != TASK_EVENT:
        return OtherEvent(
            row={
                "event_id": _key("id", event_id),
                "detail_type": kind,
                "event_time": event_time or received_at,
                "event": document,
            }
        )
    detail = document.get("detail")
    if not isinstance(detail, dict):
        raise Unreadable("detail: must be an object")
    state_at = event_time or _moment(detail, "updatedAt") or received_at
    return read_task(detail, source="event", event_id=event_id, event_time=state_at)


def read_task(
    detail: Mapping[str, Any], *, source: str, event_time: str, event_id: str | None = None
) -> TaskState:
    """The state in the `detail` of an event, or in an answer of DescribeTasks.

    Raises `Unreadable`.
    """
    arn = _key("taskArn", _text(detail, "taskArn"))
    version = _integer(detail, "version", MAX_WHOLE) or 0  # notices of Spot have none
    cluster_arn = _text(detail, "clusterArn")
    definition = _text(detail, "taskDefinitionArn")
    family, revision = _family(definition)
    row = {
        "task_arn": arn,
        "task_id": arn.rpartition("/")[2],
        "cluster_arn": cluster_arn,
        "cluster": cluster_arn.rpartition("/")[2] if cluster_arn else None,
        "task_definition_arn": definition,
        "family": family,
        "revision": revision,
        "last_status": _text(detail, "lastStatus") or _refuse("lastStatus", "is missing"),
        **{column: _text(detail, key) for column, key in _TEXTS.items()},
        **{column: _moment(detail, key) for column, key in _MOMENTS.items()},
        "version": version,
        "source": source,
        "event_id": event_id,
        "event_time": event_time,
        "detail": detail,
    }
    return TaskState(task_arn=arn, version=version, row=row, containers=_containers(detail))


_TEXTS = {
    "launch_type": "launchType",
    "capacity_provider": "capacityProviderName",
    "availability_zone": "availabilityZone",
    "container_instance_arn": "containerInstanceArn",
    "started_by": "startedBy",
    "task_group": "group",
    "desired_status": "desiredStatus",
    "stop_code": "stopCode",
    "stopped_reason": "stoppedReason",
}
_MOMENTS = {"created_at": "createdAt", "started_at": "startedAt", "stopped_at": "stoppedAt"}
_CONTAINER_TEXTS = {
    "container_arn": "containerArn",
    "last_status": "lastStatus",
    "reason": "reason",
    "image": "image",
    "image_digest": "imageDigest",
}


def _parse(body: str) -> dict[str, Any]:
    try:
        _check_text(body)
        document = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise Unreadable("is nested too deep") from None
    except ValueError as error:
        raise Unreadable(f"is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise Unreadable("is no JSON object")
    return document


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _check_text(body: str) -> None:
    """Refuses texts that JSON allows but databases do not store: NULs and lone surrogates."""
    if not body.isascii():
        try:
            body.encode()
        except UnicodeEncodeError:
            raise Unreadable("holds half a character (a lone surrogate)") from None
    escapes = body.lower()
    if "\\ud" in escapes and re.search(r"\\ud[89a-f]", escapes):
        try:
            json.dumps(json.loads(body), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Unreadable("holds half a character (a lone surrogate)") from None
    if "\\u0000" in body and "\\u0000" in body.replace("\\\\", ""):
        raise Unreadable("holds a NUL character")


def _enveloped(document: dict[str, Any]) -> dict[str, Any]:
    """The event around a bare `detail`, whose fields show its kind."""
    if "taskArn" in document and "lastStatus" in document:
        return {"detail-type": TASK_EVENT, "detail": document}
    if "containerInstanceArn" in document and "agentConnected" in document:
        return {"detail-type": "ECS Container Instance State Change", "detail": document}
    if "eventName" in document and "eventType" in document:
        kind = "ECS Deployment State Change" if "deploymentId" in document else "ECS Service Action"
        return {"detail-type": kind, "detail": document}
    raise Unreadable("is no event of ECS: it has no detail-type")


def _containers(detail: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    given = detail.get("containers")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise Unreadable("containers: must be a list")
    by_name = {}
    for item in given:
        if not isinstance(item, dict):
            raise Unreadable("containers: must hold objects")
        name = _key("containers.name", _text(item, "name"))
        by_name[name] = {
            "name": name,
            "exit_code": _integer(item, "exitCode", MAX_EXIT_CODE),
            **{column: _text(item, key) for column, key in _CONTAINER_TEXTS.items()},
        }
    return tuple(by_name.values())


def _family(definition: str | None) -> tuple[str | None, int | None]:
    """The family and revision in `.../family:7`."""
    if definition is None:
        return None, None
    family, colon, revision = definition.rpartition("/")[2].rpartition(":")
    known = bool(colon) and revision.isascii() and revision.isdigit() and len(revision) < 10
    return (family, int(revision)) if known else (definition.rpartition("/")[2], None)


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is None or isinstance(value, str):
        return value
    raise Unreadable(f"{key}: must be text, not {type(value).__name__}")


def _key(name: str, value: str | None) -> str:
    if not value:
        raise Unreadable(f"{name}: is missing")
    if len(value) > MAX_KEY_CHARS:
        raise Unreadable(f"{name}: is longer than {MAX_KEY_CHARS} characters")
    return value


def _integer(document: Mapping[str, Any], key: str, largest: int) -> int | None:
    value = document.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable(f"{key}: must be a whole number, not {type(value).__name__}")
    if not -largest <= value <= largest:
        raise Unreadable(f"{key}: is too large")
    return value


def _moment(document: Mapping[str, Any], key: str) -> str | None:
    """A time as text: events hold ISO 8601, some seconds since 1970."""
    value = document.get(key)
    if value is None:
        return None
    try:
        return to_text(_READERS[type(value)](value))
    except (KeyError, ValueError, OverflowError, OSError):
        raise Unreadable(f"{key}: must be a time, like 2026-11-21T03:47:10.123Z") from None


def _from_iso(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_seconds(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_READERS: Mapping[type, Callable[[Any], datetime]] = {
    str: _from_iso,
    int: _from_seconds,
    float: _from_seconds,
}


def _refuse(key: str, problem: str) -> str:
    raise Unreadable(f"{key}: {problem}")
