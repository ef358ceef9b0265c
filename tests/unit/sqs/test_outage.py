"""How many lines an outage has in the log."""

import logging

import pytest

from tests.support.builders import Clock
from watchbot.errors import AwsError, Denied, Throttled, Unreachable
from watchbot.sqs.outage import Outage

FACTS = {"service": "SQS", "operation": "receive_message", "text": "t"}
AWAY = Unreachable(code="Away", **FACTS)


def lines_of(
    caplog: pytest.LogCaptureFixture, *happenings: tuple[float, AwsError | None]
) -> list[tuple[float, int, str]]:
    """When a line was logged, its level and text; None is a success."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    outage = Outage(logging.getLogger("x"), "failed", "answers again", now=clock)
    told = []
    for at_s, error in happenings:
        clock.advance(at_s - (clock() - 1_000))
        before = len(caplog.records)
        if error is None:
            outage.over()
        else:
            outage.failed(error)
        told += [(at_s, line.levelno, line.msg) for line in caplog.records[before:]]
    return told


def test_line_comes_at_once_and_then_ever_more_seldom(caplog: pytest.LogCaptureFixture) -> None:
    told = lines_of(caplog, *[(second, AWAY) for second in range(200)])

    assert [at_s for at_s, _, _ in told] == [0, 10, 30, 70, 130, 190]


def test_end_is_told_once_and_what_follows_is_a_new_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = lines_of(caplog, (0, None), (1, AWAY), (2, AWAY), (3, None), (4, None), (5, AWAY))

    assert told == [
        (1, logging.WARNING, "failed"),
        (3, logging.INFO, "answers again"),
        (5, logging.WARNING, "failed"),
    ]


def test_failure_of_another_kind_has_its_line_at_once(caplog: pytest.LogCaptureFixture) -> None:
    throttled, denied = Throttled(code="Slow", **FACTS), Denied(code="No", **FACTS)

    told = lines_of(caplog, (0, AWAY), (1, throttled), (2, throttled), (3, denied))

    assert [(at_s, level) for at_s, level, _ in told] == [
        (0, logging.WARNING),
        (1, logging.WARNING),
        (3, logging.ERROR),
    ]
