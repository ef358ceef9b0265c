"""Tests the choice of dead letters, and their forms."""

import time
from typing import Any

import pytest

from tests.support.builders import a_message
from watchbot.deadletter import letter
from watchbot.deadletter.selection import selected
from watchbot.errors import SettingError
from watchbot.settings.base import load
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.evidence import Evidence, attested
from watchbot.sqs.message import Attribute, Message

ENVELOPE = '{"Subject": "orders", "Message": "order 7 of 12"}'
DAY_MS = 86_400_000


def given_up(name: str = "dead", **more: Any) -> Message:
    """A message that a watcher gave up; workers knew it as `m`."""
    evidence = Evidence(
        reason="exit code 1",
        fingerprint="f" * 16,
        duration_s=0.5,
        exit_code=1,
        tail="it broke\n",
        message_id="m",
        sent_ms=int(time.time() * 1000) - 2 * DAY_MS,
        receives=3,
    )
    attributes = attested({"colour": Attribute(type="String", value="red")}, evidence)
    sent = str(int(time.time() * 1000))
    return a_message(name, body=ENVELOPE, attributes=attributes, SentTimestamp=sent, **more)


def takes(message: Message, *ids: str, **options: Any) -> bool:
    return selected(load(DeadLetterSettings, options), ids).takes(message)


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({}, True),
        ({"match": "order 7"}, True),
        ({"match": "^orders$"}, True),
        ({"match": "order [89]"}, False),
        ({"attribute": ("colour=red",)}, True),
        ({"attribute": ("colour=red", "size=5")}, False),
        ({"attribute": ("watchbot.reason=exit code 1",)}, True),
        ({"attribute": ("watchbot.exit_code=2",)}, False),
        ({"older_than": "1d"}, True),
        ({"older_than": "7d"}, False),
        ({"older_than": "1d", "match": "nothing"}, False),
    ],
)
def test_options_choose_together(options: dict[str, Any], taken: bool) -> None:
    assert takes(given_up(), **options) is taken


@pytest.mark.parametrize(("name", "taken"), [("dead", True), ("m", True), ("other", False)])
def test_message_goes_by_its_id_and_by_the_one_in_the_logs(name: str, taken: bool) -> None:
    assert takes(given_up(), name) is taken


def test_attribute_of_an_sns_envelope_counts() -> None:
    body = (
        '{"Type": "Notification", "MessageId": "m", "TopicArn": "arn:t", "Message": "x",'
        ' "MessageAttributes": {"colour": {"Type": "String", "Value": "blue"}}}'
    )

    assert takes(a_message(body=body), attribute=("colour=blue",))


def test_message_that_sqs_moved_is_as_old_as_its_sending() -> None:
    sent = str(int(time.time() * 1000) - DAY_MS)

    assert takes(a_message(SentTimestamp=sent), older_than="23h")
    assert not takes(a_message(SentTimestamp=sent), older_than="25h")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"match": "("}, "--match (WATCHBOT_MATCH): '(' is no regular expression"),
        ({"older_than": "soon"}, "must be a time like 90s, 5m, 2h or 7d, not 'soon'"),
        ({"attribute": ("colour",)}, "must be NAME=VALUE, not 'colour'"),
        ({"max": "0"}, "--max (WATCHBOT_MAX): must be at least 1, not 0"),
    ],
)
def test_bad_option_is_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingError) as error:
        load(DeadLetterSettings, options)

    assert problem in str(error.value)


def test_list_tells_what_was_noted() -> None:
    facts = letter.summary(given_up(receives=1))

    assert facts["id"] == "dead"
    assert (facts["receives"], facts["reason"], facts["fingerprint"]) == (
        3,
        "exit code 1",
        "f" * 16,
    )
    assert facts["text"] == "order 7 of 12"
    assert "exit code 1" in letter.line(facts)


def test_list_shows_eighty_characters_on_one_line() -> None:
    facts = letter.summary(a_message(body="two\nlines " + "x" * 100))

    assert facts["text"] == "two lines " + "x" * 70
    assert "\n" not in letter.line(facts)


def test_page_has_all_of_it() -> None:
    page = letter.page(letter.everything(given_up()))

    for text in ("original_id: m", "attribute colour: red", "subject: orders", "it broke"):
        assert text in page
    assert "watchbot." not in page


def test_message_cannot_take_over_the_terminal() -> None:
    page = letter.page(letter.everything(a_message(body="a\x1b[2Jb\rc\td\n\u202eee")))

    assert page.endswith("a\ufffd[2Jb\ufffdc\td\n\ufffdee")
