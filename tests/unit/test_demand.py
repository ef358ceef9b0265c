"""How many tasks a run starts."""

from typing import Any

import pytest

from watchbot.schedule.demand import Decision, Skip, Start, UnderWay, Wait, decide, expected
from watchbot.schedule.job import Job, Overlap

NOTHING_WAITS = Skip(reason="no message waits in the queue")


def a_job(**fields: Any) -> Job:
    return Job.model_validate({"id": "j", "schedule": "0", **fields})


@pytest.mark.parametrize(
    ("fields", "waiting", "tasks"),
    [
        ({}, None, 1),
        ({"taskCount": 5}, None, 5),
        ({"taskCount": 5, "maxCount": 3}, None, 3),
        ({"taskCount": 2}, 0, 0),
        ({"taskCount": 2}, 1, 2),
        ({"taskCount": 2}, 21, 3),
        ({"maxCount": 4}, 500, 4),
        ({}, 10_000, 50),
    ],
    ids=[
        "one", "its count", "no more than the most", "empty queue", "at least its count",
        "one for each ten", "no more than the most, from the queue", "never more than fifty",
    ],
)  # fmt: skip
def test_expected(fields: dict[str, Any], waiting: int | None, tasks: int) -> None:
    trigger = {"type": "sqs", "queueName": "q", "messagesPerTask": 10}
    given = fields if waiting is None else {**fields, "trigger": trigger}

    assert expected(a_job(**given), waiting) == tasks


@pytest.mark.parametrize(
    ("overlap", "wanted", "running", "decision"),
    [
        ("allow", 3, 7, Start(count=3)),
        ("allow", 0, 0, NOTHING_WAITS),
        ("top_up", 3, 0, Start(count=3)),
        ("top_up", 3, 2, Start(count=1)),
        ("top_up", 3, 5, Skip(reason="5 tasks run, of 3 that are wanted")),
        ("skip", 3, 0, Start(count=3)),
        ("skip", 3, 1, Skip(reason="1 tasks of an earlier run are not done")),
        ("buffer_one", 3, 1, Wait(reason="1 tasks of an earlier run are not done")),
        ("buffer_one", 3, 0, Start(count=3)),
        ("replace", 3, 2, Start(count=3, stop=True)),
        ("replace", 3, 0, Start(count=3)),
    ],
)
def test_decision(overlap: Overlap, wanted: int, running: int, decision: Decision) -> None:
    assert decide(overlap, wanted, UnderWay(tasks=running)) == decision
