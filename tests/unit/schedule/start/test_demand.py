"""How many tasks a run starts."""

from typing import Any

import pytest

from watchbot.schedule.job.job import Job, Overlap
from watchbot.schedule.start.demand import (
    Decision,
    Skip,
    StartTasks,
    UnderWay,
    Wait,
    decide,
    decide_backfill,
    expected,
)

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
        ("allow", 3, 7, StartTasks(count=3)),
        ("allow", 0, 0, NOTHING_WAITS),
        ("top_up", 3, 0, StartTasks(count=3)),
        ("top_up", 3, 2, StartTasks(count=1)),
        ("top_up", 3, 5, Skip(reason="5 tasks run, of 3 that are wanted")),
        ("skip", 3, 0, StartTasks(count=3)),
        ("skip", 3, 1, Skip(reason="1 tasks of an earlier run are not done")),
        ("buffer_one", 3, 1, Wait(reason="1 tasks of an earlier run are not done")),
        ("buffer_one", 3, 0, StartTasks(count=3)),
        ("replace", 3, 2, StartTasks(count=3, stop=True)),
        ("replace", 3, 0, StartTasks(count=3)),
    ],
)
def test_decision(overlap: Overlap, wanted: int, running: int, decision: Decision) -> None:
    assert decide(overlap, wanted, UnderWay(tasks=running)) == decision


NOT_STARTED = "an earlier run is not started yet"
IN_TURN = Wait(reason="an earlier run is decided first", seconds=1)


@pytest.mark.parametrize(
    ("overlap", "now", "decision"),
    [
        ("skip", UnderWay(ahead=1), IN_TURN),
        ("skip", UnderWay(begun=1, missing=2), Skip(reason=NOT_STARTED)),
        ("skip", UnderWay(begun=1, ahead=1), Skip(reason=NOT_STARTED)),
        ("buffer_one", UnderWay(ahead=1), IN_TURN),
        ("buffer_one", UnderWay(begun=1), Wait(reason=NOT_STARTED)),
        ("buffer_one", UnderWay(tasks=1, ahead=1), Skip(reason="an earlier run waits already")),
        ("replace", UnderWay(tasks=1, ahead=1), IN_TURN),
        ("replace", UnderWay(begun=1), StartTasks(count=3, stop=True)),
        ("top_up", UnderWay(tasks=1, begun=1, missing=1), StartTasks(count=1)),
        ("top_up", UnderWay(tasks=1, ahead=1), IN_TURN),
        (
            "top_up",
            UnderWay(tasks=1, begun=1, missing=2),
            Skip(reason=f"1 tasks run, of 3 that are wanted, and {NOT_STARTED}"),
        ),
        ("allow", UnderWay(tasks=9, begun=2, ahead=2), StartTasks(count=3)),
    ],
)
def test_decision_among_other_runs(overlap: Overlap, now: UnderWay, decision: Decision) -> None:
    assert decide(overlap, 3, now) == decision


@pytest.mark.parametrize(
    ("at_once", "under_way", "ahead", "seconds"),
    [(1, 0, 0, None), (3, 2, 0, None), (3, 0, 2, 1), (1, 1, 0, 5), (1, 1, 3, 20), (1, 1, 999, 600)],
)
def test_backfill_waits_longer_the_more_go_before(
    at_once: int, under_way: int, ahead: int, seconds: float | None
) -> None:
    decision = decide_backfill(2, at_once, under_way, ahead)

    assert isinstance(decision, StartTasks) if seconds is None else isinstance(decision, Wait)
    assert getattr(decision, "seconds", None) == seconds
