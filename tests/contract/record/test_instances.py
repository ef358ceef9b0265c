"""Container instances and rejected messages, in both databases."""

import json
from typing import Any

from tests.support.databases import a_record
from watchbot.record import answers
from watchbot.record.event import OtherEvent, read
from watchbot.record.writer import Reject, write

ARN = "arn:aws:ecs:eu-west-1:123456789012:container-instance/blue/i"


def an_event(version: int, arn: str = ARN, **more: Any) -> OtherEvent:
    detail = {
        "containerInstanceArn": arn,
        "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/blue",
        "ec2InstanceId": "i-0abc",
        "agentConnected": True,
        "status": "ACTIVE",
        "version": version,
        "runningTasksCount": version,
        "pendingTasksCount": 0,
        "registeredResources": [{"name": "CPU", "type": "INTEGER", "integerValue": 2048}],
        "remainingResources": [{"name": "MEMORY", "type": "INTEGER", "integerValue": 512}],
        **more,
    }
    kind = "ECS Container Instance State Change"
    envelope = {"detail-type": kind, "id": f"e{version}{arn}", "time": "2026-11-21T03:00:00Z"}
    event = read(json.dumps({**envelope, "detail": detail}), "m")
    assert isinstance(event, OtherEvent)
    return event


async def test_newest_state_of_an_instance_wins(url: str) -> None:
    async with a_record(url) as database:
        await write(database, others=[an_event(3), an_event(2)])
        await write(database, others=[an_event(1, status="DRAINING"), an_event(3)])
        await write(database, others=[an_event(4, agentConnected=False)])
        (row,) = await answers.instances(database)
        (kept,) = await database.fetch("SELECT count(*) AS events FROM ecs_event")

    assert kept["events"] == 4
    assert row == {
        "container_instance_arn": ARN,
        "cluster": "blue",
        "ec2_instance_id": "i-0abc",
        "status": "ACTIVE",
        "agent_connected": False,
        "running_tasks": 4,
        "pending_tasks": 0,
        "registered_cpu": 2048,
        "remaining_cpu": None,
        "registered_memory": None,
        "remaining_memory": 512,
        "event_time": "2026-11-21T03:00:00.000Z",
    }


async def test_odd_event_of_an_instance_is_kept_as_it_came(url: str) -> None:
    odd = an_event(1, arn="", registeredResources="none")
    strange = an_event(2, runningTasksCount=2**70, remainingResources=[7])
    async with a_record(url) as database:
        await write(database, others=[odd, strange])
        (row,) = await answers.instances(database)
        (kept,) = await database.fetch("SELECT count(*) AS events FROM ecs_event")

    assert (kept["events"], row["running_tasks"], row["remaining_memory"]) == (2, None, None)


async def test_rejected_messages_are_listed(url: str) -> None:
    reject = Reject(message_id="m1", body="{", error="is no JSON", receive_count=2)
    async with a_record(url) as database:
        await write(database, rejects=[reject])
        (row,) = await answers.rejects(database)

    assert (row["message_id"], row["error"], row["body"], row["receive_count"]) == (
        "m1",
        "is no JSON",
        "{",
        2,
    )
