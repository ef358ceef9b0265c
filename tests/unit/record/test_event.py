"""Events of ECS, as they come: whole, partial, wrapped, hostile."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from watchbot.record.event import OtherEvent, TaskState, Unreadable, read

EVENTS = Path(__file__).parents[2] / "support/events"


def sample(number: str) -> dict[str, Any]:
    (path,) = EVENTS.glob(f"{number}_*.json")
    event: dict[str, Any] = json.loads(path.read_text())
    return event


def task(event: dict[str, Any]) -> TaskState:
    state = read(json.dumps(event), "m")
    assert isinstance(state, TaskState)
    return state


def test_task_on_ec2() -> None:
    state = task(sample("01"))

    assert state.version == 4
    assert state.row["family"] == "xray"
    assert state.row["revision"] == 2
    assert state.row["cluster"] == "default"
    assert state.row["started_at"] == "2016-12-06T16:41:06.800Z"
    assert state.row["container_instance_arn"].endswith("b54a2a04-046f-4331-9d74-3f6d7f6ca315")
    assert [c["exit_code"] for c in state.containers] == [0]


def test_task_on_fargate_has_no_instance_and_no_exit_code_yet() -> None:
    state = task(sample("02"))

    assert state.row["launch_type"] == "FARGATE"
    assert state.row["container_instance_arn"] is None
    assert [c["exit_code"] for c in state.containers] == [None]
    assert state.row["detail"]["attachments"][0]["type"] == "eni"


def test_partial_notice_of_spot_is_the_lowest_version() -> None:
    state = task(sample("07"))

    assert state.version == 0
    assert state.row["stop_code"] == "TerminationNotice"
    assert state.containers == ()


def test_service_action_is_kept_as_it_is() -> None:
    event = read(json.dumps(sample("05")), "m")

    assert isinstance(event, OtherEvent)
    assert event.row["detail_type"] == "ECS Service Action"
    assert event.row["event"] == sample("05")


def test_detail_without_its_envelope() -> None:
    state = task(sample("02")["detail"])

    assert state.row["event_time"] == "2020-01-23T17:57:58.103Z"


def test_unknown_kind_without_an_id_gets_that_of_the_message() -> None:
    event = read('{"detail-type": "ECS Something New", "detail": {}}', "m-1")

    assert isinstance(event, OtherEvent)
    assert event.row["event_id"] == "m-1"


def test_failed_start_has_no_containers() -> None:
    event = sample("02")
    event["detail"] |= {"containers": [], "stopCode": "TaskFailedToStart", "lastStatus": "STOPPED"}

    assert task(event).containers == ()


def test_version_may_be_text() -> None:
    event = sample("01")
    event["detail"]["version"] = "12"

    assert task(event).version == 12


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "no event of ECS"),
        ('{"detail-type": "ECS Task State Change"}', "detail: must be an object"),
        ('{"detail-type": "ECS Task State Change", "detail": {}}', "taskArn: is missing"),
        ('{"taskArn": "a", "lastStatus": null}', "lastStatus: is missing"),
        ('{"taskArn": "a", "lastStatus": "R", "version": 1.5}', "version: must be a whole"),
        ('{"taskArn": "a", "lastStatus": "R", "version": true}', "version: must be a whole"),
        ('{"taskArn": "a", "lastStatus": "R", "version": 1e999}', "too large"),
        ('{"taskArn": "a", "lastStatus": "R", "version": NaN}', "NaN"),
        (f'{{"taskArn": "a", "lastStatus": "R", "version": {2**63}}}', "version: is too large"),
        ('{"taskArn": "a", "lastStatus": "R", "startedAt": "soon"}', "startedAt: must be a time"),
        ('{"taskArn": "a", "lastStatus": "R", "containers": {}}', "containers: must be a list"),
        ('{"taskArn": "a", "lastStatus": "R", "containers": [{}]}', "containers.name: is missing"),
        ('{"taskArn": "a\\u0000", "lastStatus": "R"}', "NUL"),
        ('{"taskArn": "a\\ud800", "lastStatus": "R"}', "surrogate"),
        ('{"taskArn": "a\ud800", "lastStatus": "R"}', "surrogate"),
        ('{"taskArn": "' + "a" * 2000 + '", "lastStatus": "R"}', "taskArn: is longer"),
        ("[" * 500_000, "too deep"),
        ('{"a":' * 200_000, "too deep"),
        ("x" * 2**20, "no JSON"),
        ("9" * 10_000, "no JSON"),
    ],
    ids=lambda value: value[:60].encode("ascii", "backslashreplace").decode(),
)
def test_what_cannot_be_read(body: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(body, "m")


def test_escaped_backslash_is_no_nul() -> None:
    event = sample("01")
    event["detail"]["stoppedReason"] = "\\u0000 \U0001f600"

    assert task(event).row["stopped_reason"] == "\\u0000 \U0001f600"


anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=5,
)


@given(field=some.sampled_from(sorted(sample("02")["detail"])), value=anything)
def test_wrong_type_in_any_field_is_read_or_refused(field: str, value: object) -> None:
    event = sample("02")
    event["detail"][field] = value

    with contextlib.suppress(Unreadable):
        read(json.dumps(event), "m")


@given(field=some.sampled_from(sorted(sample("02"))), value=anything)
def test_wrong_type_in_the_envelope_is_read_or_refused(field: str, value: object) -> None:
    with contextlib.suppress(Unreadable):
        read(json.dumps({**sample("02"), field: value}), "m")


@given(anything)
def test_any_json_is_read_or_refused(document: object) -> None:
    with contextlib.suppress(Unreadable):
        read(json.dumps(document), "m")
