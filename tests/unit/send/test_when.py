from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchbot.errors import SettingError
from watchbot.send.when import Keeper, When, planned_time
from watchbot.settings.base import load
from watchbot.settings.send import SendSettings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
SCHEDULER = "http://127.0.0.1:5000"


def planned(target: str = QUEUE, **given: Any) -> When:
    return planned_time(load(SendSettings, given), target, NOW)


def test_message_is_sent_at_once_unless_a_time_is_given() -> None:
    assert planned() == When()
    assert planned().delay_s(NOW) is None  # the queue's own delay counts


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-29T12:10:00Z", 600),
        ("2026-11-29T12:10:00", 600),
        ("2026-11-29T13:10:00+01:00", 600),
        ("90s", 90),
        ("15m", 900),
        ("2026-11-29T12:00:00.1Z", 1),
    ],
)
def test_time_within_a_quarter_of_an_hour_is_a_delay(text: str, seconds: int) -> None:
    assert planned(at=text).delay_s(NOW) == seconds


def test_delay_of_a_late_line_is_shorter() -> None:
    when = planned(at="10m")

    assert when.delay_s(NOW + timedelta(minutes=4)) == 360
    assert when.delay_s(NOW + timedelta(minutes=20)) == 0


@pytest.mark.parametrize(
    ("target", "at"),
    [(QUEUE, "16m"), (TOPIC, "1m"), (QUEUE + ".fifo", "1m"), (QUEUE, "2026-12-24T18:00:00Z")],
)
def test_scheduler_keeps_what_sqs_cannot(target: str, at: str) -> None:
    when = planned(target, at=at, scheduler_url=SCHEDULER, token="secret")

    assert when.scheduler == Keeper(url=SCHEDULER, token="secret")
    assert when.delay_s(NOW) is None
    with pytest.raises(SettingError, match=r"--at .*scheduler-url"):
        planned(target, at=at)


@pytest.mark.parametrize(
    ("target", "given", "problem"),
    [
        (TOPIC, {"delay": 5}, "--delay .*a topic cannot hold a message back; name the time, --at"),
        (QUEUE + ".fifo", {"delay": 5}, "--delay .*FIFO queue cannot hold a single message back"),
        (QUEUE, {"delay": 901}, "--delay .*at most 900, not 901"),
        (QUEUE, {"delay": -1}, "--delay .*at least 0, not -1"),
        (QUEUE, {"delay": 5, "at": "5m"}, "--delay .*--at .*leave one of them out"),
        (QUEUE, {"at": "2026-11-29T11:59:59Z"}, "--at .*is past; leave it out to send now"),
        (QUEUE, {"at": "0s"}, "is past"),
        (QUEUE, {"at": "tomorrow"}, "--at .*must be a time like 2026-.*, or a span like 90s"),
        (QUEUE, {"at": "999999999w"}, "must be a time like"),
        (QUEUE, {"at": "15m1s"}, "must be a time like"),
        (QUEUE, {"scheduler_url": "ftp://a"}, "--scheduler-url .*must be the address of a site"),
        (QUEUE, {"scheduler_url": "http://a:pw@b"}, "give its token with --token"),
        (QUEUE, {"scheduler_url": "http://b:x"}, "--scheduler-url .*must be the address of a site"),
        (QUEUE, {"token": "pw\nX-Other: y"}, "--token .*must be one word of ASCII characters"),
    ],
)
def test_bad_time_is_refused(target: str, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingError, match=problem) as refused:
        planned(target, **given)
    assert "pw" not in str(refused.value)
