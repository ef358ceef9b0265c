"""What the lines of watchers' logs say of one message."""

import pytest

from watchbot.explain.line import Event, read_line
from watchbot.explain.tries import Try, tries_of
from watchbot.explain.whereabouts import whereabouts

AT = 1_469_664_757.0
DATE = "[Thu, 28 Jul 2016 00:12:37 GMT]"


def event(
    text: str, *, at: float = AT, source: str = "a", who: str = "watcher", **facts: str
) -> Event:
    return Event(at=at, source=source, who=who, text=text, facts=facts)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            f"{DATE} [watcher] [m] received receives=2", event("received", receives="2"), id="text"
        ),
        pytest.param(
            f"2016-07-28T00:12:38 stream/1 {DATE} [watcher] [m] received receives=2",
            event("received", receives="2"),
            id="with something before it",
        ),
        pytest.param(
            f'{DATE} [watcher] [m] [failure] failed ending="exit code 1" pause_s=4 '
            '{"code":1,"signal":null,"duration":9} cpu_s 0.1 duration_s 0.009 receives 2',
            event(
                "failed",
                ending="exit code 1",
                pause_s="4",
                cpu_s="0.1",
                duration_s="0.009",
                receives="2",
            ),
            id="outcome",
        ),
        pytest.param(
            f"{DATE} [worker] [m] a=1 {{", event("a=1 {", who="worker"), id="worker's line"
        ),
        pytest.param(
            f"{DATE} [worker] [m] {DATE} [watcher] [m] completed",
            event(f"{DATE} [watcher] [m] completed", who="worker"),
            id="worker that plays the watcher",
        ),
        pytest.param(
            '{"name":"watcher","time":"2016-07-28T00:12:37.000Z","hostname":"h",'
            '"watchbot_sqs_message_id":"m","msg":"lease lost","code":null}',
            event(
                "lease lost",
                source="h",
                name="watcher",
                time="2016-07-28T00:12:37.000Z",
                hostname="h",
                watchbot_sqs_message_id="m",
                msg="lease lost",
            ),
            id="JSON",
        ),
        pytest.param(f"{DATE} [watcher] [mm] received", None, id="another message"),
        pytest.param(f"{DATE} [watcher] started m", None, id="no message"),
        pytest.param("m", None, id="no line of ours"),
        pytest.param('{"msg":"m", ', None, id="broken JSON"),
        pytest.param('{"msg":"m"}', None, id="JSON of somebody else"),
    ],
)
def test_line_is_read(line: str, expected: Event | None) -> None:
    assert read_line(line, "m", "a") == expected


def test_batch_is_about_each_of_its_messages() -> None:
    line = (
        '{"name":"worker","time":"2016-07-28T00:12:37.000Z","watchbot_sqs_message_id":"l",'
        '"watchbot_batch":["l","m"],"msg":"both"}'
    )

    found = read_line(line, "m", "a", at=7.5)

    assert found is not None
    assert (found.text, found.at) == ("both", 7.5)


def test_tries_of_two_containers_are_told_apart_and_are_in_order() -> None:
    tries = tries_of(
        [
            event("received", source="b", at=20, receives="2"),
            event("received", source="a", at=10, receives="1"),
            event("said by a", source="a", at=11, who="worker"),
            event("said by b", source="b", at=21, who="worker"),
            event("lease lost", source="a", at=19),
            event("released", source="a", at=22, ending="lease lost; exit code 0"),
            event("completed", source="b", at=23, ending="exit code 0"),
            event("late", source="b", at=24, who="worker"),
        ]
    )

    first, second = tries
    assert (first.source, first.receives, first.outcome) == ("a", "1", "released")
    assert (list(first.words), first.notes) == (["said by a"], ["lease lost"])
    assert (second.source, second.outcome, list(second.words)) == (
        "b",
        "completed",
        ["said by b", "late"],
    )


def test_receive_that_is_not_in_the_log_and_end_that_never_came() -> None:
    tries = tries_of(
        [
            event("failed", at=5, ending="exit code 1", receives="3"),
            event("received", at=9, receives="4"),
        ]
    )

    assert [(each.received_at, each.receives, each.outcome) for each in tries] == [
        (None, "3", "failed"),
        (9, "4", None),
    ]


def last(outcome: str | None, *notes: str, **facts: str) -> list[Try]:
    tried = Try(source="a", received_at=1, ended_at=AT, outcome=outcome, facts=facts)
    tried.notes.extend(notes)
    return [tried]


@pytest.mark.parametrize(
    ("tries", "now"),
    [
        ([], "nothing is known of it here"),
        (last("completed", ending="exit code 0"), "deleted, as it was completed: exit code 0"),
        (last("rejected", ending="exit code 3"), "deleted, as it was rejected: exit code 3"),
        (
            last("failed", ending="exit code 1", pause_s="4"),
            "in the queue, visible from 2016-07-28T00:12:41.000Z on: exit code 1",
        ),
        (
            last("failed", "dead letter sent", ending="exit code 1"),
            "in the dead-letter queue, or replayed from there: its watcher gave it up",
        ),
        (
            last("released", ending="the watcher is leaving"),
            "in the queue, visible at once: the watcher is leaving",
        ),
        (
            last("released", ending="lease lost; exit code 0"),
            "elsewhere: its lease was lost, and another watcher may have received it",
        ),
        (
            last(None),
            "in hand of that watcher; or, if it died, in the queue again once its visibility "
            "timeout is over",
        ),
    ],
)
def test_where_it_is_now_follows_from_the_last_try(tries: list[Try], now: str) -> None:
    assert whereabouts(tries, None) == now
