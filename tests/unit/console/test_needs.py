"""The first page: what needs a person, the worst first."""

from typing import Any

import pytest

from watchbot.console.fresh import Missing
from watchbot.console.needs import Board, FailedRun, FailedTasks, needs
from watchbot.console.queues import keys
from watchbot.console.watchers import FailingKind, WatcherView
from watchbot.errors import NotFound
from watchbot.pages.site import lasted
from watchbot.queues.state import QueueState
from watchbot.sqs.pause import Pause

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/tiles"


def a_queue(**more: Any) -> QueueState:
    messages = {"visible": 0, "in_flight": 0, "delayed": 0}
    return QueueState(**{"url": URL, "messages": messages, "dead_letters": 0, **more})


def a_board(**more: Any) -> Board:
    parts: dict[str, Any] = {
        "queues": [a_queue()],
        "keys": {URL: "tiles"},
        "stuck_s": {},
        "open_letters": {},
        "watchers": [WatcherView("http://a/metrics", problem=None)],
        "watchers_problem": None,
        "failing": (),
    }
    return Board(**{**parts, **more})


def told(board: Board) -> list[tuple[str, str, str]]:
    return [(need.level, need.what, need.text) for need in needs(board)]


def test_all_quiet() -> None:
    assert needs(a_board()) == []


def test_failing_kinds_of_the_last_hour() -> None:
    kinds = [
        FailingKind("f1", "exit code 1", count=9, last="2026-01-01T00:00:00Z", minutes=[0, 2, 1]),
        FailingKind("f2", "exit code 2", count=4, minutes=[0, 0, 0]),
    ]

    (need,) = needs(a_board(failing=kinds))

    assert (need.what, need.text) == ("failing", "exit code 1: 3 in the last hour")
    assert (need.link, need.minutes) == ("/failures/f1", [0, 2, 1])


def test_dead_letters_lead_to_a_button_until_they_are_open() -> None:
    (closed,) = needs(a_board(queues=[a_queue(dead_letters=3)]))
    (opened,) = needs(a_board(queues=[a_queue(dead_letters=1)], open_letters={URL: 2}))

    assert (closed.text, closed.open_letters) == ("3 of tiles", "tiles")
    assert (opened.text, opened.open_letters) == ("3 of tiles", None)
    assert opened.link == "/letters/tiles"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"queues": [a_queue(oldest_s=7200.0)], "stuck_s": {URL: 300.0}},
            ("bad", "backlog", "the oldest message of tiles waits for 2 h, and nothing older was "
             "taken for 5 min"),
        ),
        (
            {"queues": [a_queue(pause=Pause(reason="deploy"))], "stuck_s": {URL: 300.0}},
            ("odd", "paused", "tiles: deploy"),
        ),
        (
            {"queues": Missing(reason="no answer yet")},
            ("odd", "not seen", "queues: no answer yet"),
        ),
        (
            {"watchers": [WatcherView("http://a/metrics", problem="Connection refused")]},
            ("bad", "watcher", "http://a/metrics: Connection refused"),
        ),
        (
            {"watchers_problem": "watchers.internal: Name or service not known"},
            ("bad", "not seen", "watchers: watchers.internal: Name or service not known"),
        ),
        (
            {"runs": [FailedRun(job="nightly", due="2026-01-01T00:00:00Z", why="no capacity")]},
            ("bad", "schedule", "nightly: no capacity"),
        ),
        (
            {"tasks": [FailedTasks(family="tiles", failed=2, ended=1200)]},
            ("bad", "tasks", "2 of 1,200 tasks of tiles failed in a day"),
        ),
        (
            {"tasks": Missing(reason="the database is down")},
            ("odd", "not seen", "tasks: the database is down"),
        ),
    ],
)  # fmt: skip
def test_each_need_says_what(changed: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert told(a_board(**changed)) == [expected]


def test_queue_that_cannot_be_read_says_why() -> None:
    error = NotFound(service="SQS", operation="get_queue_attributes", code="Gone", text="no queue")

    ((level, what, text),) = told(a_board(queues=[a_queue(error=error)]))

    assert (level, what) == ("bad", "not seen")
    assert text.startswith("tiles: ")


def test_bad_comes_before_odd() -> None:
    queues = [a_queue(pause=Pause(reason="deploy"), dead_letters=1)]

    assert [need.level for need in needs(a_board(queues=queues))] == ["bad", "odd"]


def test_queues_of_one_name_have_pages_of_their_own() -> None:
    other = URL.replace("eu-west-1", "us-east-1")

    assert keys([URL, other]) == {URL: "tiles", other: "tiles~2"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.4, "0 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 d")],  # noqa: RUF001 - as the page shows it
)
def test_spans_for_people(seconds: float | None, text: str) -> None:
    assert lasted(seconds) == text
