import json
from typing import TypeGuard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_message
from watchbot.sqs.message import Attribute, open_envelope, timestamp

TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
NOTIFICATION = {"Type": "Notification", "TopicArn": TOPIC, "Message": "inside"}


def test_notification_is_opened_without_a_subject() -> None:
    content = open_envelope(a_message(body=json.dumps(NOTIFICATION)))

    assert (content.subject, content.body, content.topic_arn) == ("", "inside", TOPIC)


def test_subject_and_message_alone_are_an_envelope_as_in_ecs_watchbot() -> None:
    content = open_envelope(a_message(body='{"Subject": "s", "Message": "inside"}'))

    assert (content.subject, content.body, content.topic_arn) == ("s", "inside", None)


def test_notification_has_its_subject() -> None:
    content = open_envelope(a_message(body=json.dumps({**NOTIFICATION, "Subject": "s"})))

    assert (content.subject, content.body, content.topic_arn) == ("s", "inside", TOPIC)


def test_content_of_a_bare_message_is_the_message() -> None:
    attributes = {"k": Attribute(type="String", value="v")}

    content = open_envelope(a_message(body="plain", attributes=attributes))

    assert (content.subject, content.body, content.topic_arn) == ("", "plain", None)
    assert content.attributes == attributes


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"nul \u0000", "nul \x00"),
        (r"half \ud800", "half \ud800"),
        (r"pair \ud83d\ude00", "pair \U0001f600"),
        ("", ""),
        (r"{\"Message\": 1}", '{"Message": 1}'),
    ],
    ids=["NUL", "lone surrogate", "surrogate pair", "empty", "JSON"],
)
def test_body_comes_out_of_its_envelope_as_it_was_meant(written: str, meant: str) -> None:
    body = f' {{"Subject": "s", "Message": "{written}"}}\n'

    assert open_envelope(a_message(body=body)).body == meant


def test_attributes_of_the_envelope_are_the_messages() -> None:
    envelope = {
        **NOTIFICATION,
        "MessageAttributes": {"k": {"Type": "String", "Value": "v"}, "odd": 3},
    }

    content = open_envelope(a_message(body=json.dumps(envelope)))

    assert content.attributes == {"k": Attribute(type="String", value="v")}


@pytest.mark.parametrize(
    "body",
    [
        "plain",
        "",
        "{",
        "[]",
        '{"Message": "no subject, no topic"}',
        '{"Subject": "s", "Message": {"not": "text"}}',
        '{"Subject": null, "Message": "x"}',
        '{"Type": "Notification", "Message": "no topic"}',
        '{"Message":' + "[" * 100_000,
        '{"Subject": "s", "Message": "x", "deep": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"Subject": "s", "Message": "raw nul \x00"}',
        '{"Subject": "s", "Message": "x"} and more',
        '\ufeff{"Subject": "s", "Message": "x"}',
        '[{"Subject": "s", "Message": "x"}]',
        '{"Subject": "s", "Message": "x", "n": ' + "9" * 5_000 + "}",
    ],
    ids=lambda body: body[:40],
)
def test_anything_else_is_passed_as_it_is(body: str) -> None:
    assert open_envelope(a_message(body=body)).body == body


KEYS = st.sampled_from(["Type", "Subject", "Message", "TopicArn", "MessageAttributes"]) | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TEXTS = st.text(st.characters())  # lone surrogates among them
ENVELOPES = st.fixed_dictionaries(
    {"Message": TEXTS | JSON},
    optional={
        "Type": st.just("Notification") | JSON,
        "TopicArn": TEXTS | JSON,
        "Subject": TEXTS | JSON,
        "MessageAttributes": st.dictionaries(TEXTS, JSON, max_size=3) | JSON,
    },
)


@given(ENVELOPES | JSON)
def test_envelope_alone_is_opened(document: object) -> None:
    body = json.dumps(document)

    content = open_envelope(a_message(body=body))

    assert content.body == (document["Message"] if is_envelope(document) else body)
    assert all(isinstance(item.value, str) for item in content.attributes.values())


def is_envelope(document: object) -> TypeGuard[dict[str, str]]:
    if not isinstance(document, dict) or not isinstance(document.get("Message"), str):
        return False
    of_topic = document.get("Type") == "Notification" and isinstance(document.get("TopicArn"), str)
    return of_topic or isinstance(document.get("Subject"), str)


@given(st.sampled_from(["", '{"Message"', '{"Message":"', '{"Message":[']), TEXTS)
def test_no_body_is_too_strange(start: str, rest: str) -> None:
    assert open_envelope(a_message(body=start + rest)).body == start + rest


def test_facts_of_a_message_are_read_from_its_attributes() -> None:
    message = a_message(
        receives=3,
        SentTimestamp="1469664757042",
        ApproximateFirstReceiveTimestamp="1469664758000",
        MessageGroupId="g",
    )

    assert (message.receives, message.group) == (3, "g")
    assert (message.sent_ms, message.first_received_ms) == (1_469_664_757_042, 1_469_664_758_000)


def test_facts_that_sqs_did_not_tell_are_none() -> None:
    message = a_message()

    assert (message.group, message.sent_ms, message.first_received_ms) == (None, None, None)


def test_timestamp_has_milliseconds_and_a_z() -> None:
    assert timestamp(1_469_664_757_042) == "2016-07-28T00:12:37.042Z"
