import json
from typing import TypeGuard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import a_message
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.message import Attribute

TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
NOTIFICATION = {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "inside"}
SIGNATURE = {"Timestamp": "t", "SignatureVersion": "1", "Signature": "s", "SigningCertURL": "u"}


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
        '{"Type": "Notification", "MessageId": "m", "Message": "no topic"}',
        '{"Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "Message": "no id"}',
        '{"Type": "Invoice", "TopicArn": "arn:aws:sns:r:1:t", "MessageId": "m", "Message": "x"}',
        '{"Type": "Notification", "TopicArn": "news", "MessageId": "m", "Message": "no ARN"}',
        json.dumps({**NOTIFICATION, "TopicArn": "arn:\0"}),
        json.dumps({**NOTIFICATION, "TopicArn": "arn:" + "x" * 200_000}),
        json.dumps({**NOTIFICATION, "TopicArn": "arn:aws:sns:r:1:\ud800"}),
        json.dumps({**NOTIFICATION, "OrderId": 7}),
        '{"To": "a@example.org", "Subject": "s", "Message": "x", "OrderId": 7}',
        '{"Subject": "s", "Message": "x", "MessageId": "mine"}',
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
        "TopicArn": st.just(TOPIC) | TEXTS | JSON,
        "MessageId": TEXTS | JSON,
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


def test_signed_notification_may_have_keys_that_sns_writes_one_day() -> None:
    body = json.dumps({**NOTIFICATION, **SIGNATURE, "NewKey": 1})

    assert open_envelope(a_message(body=body)).body == "inside"


@pytest.mark.parametrize(
    "document",
    [NOTIFICATION, {**NOTIFICATION, "Subject": "s"}, {"Subject": "s", "Message": "x"}],
    ids=["notification", "with a subject", "bare"],
)
def test_kept_envelope_is_the_body(document: dict[str, str]) -> None:
    content = open_envelope(a_message(body=json.dumps(document)), "keep")

    assert (content.subject, content.body) == ("", json.dumps(document))


@pytest.mark.parametrize(
    ("document", "subject", "body"),
    [
        ({**NOTIFICATION, "Subject": "s"}, "s", "inside"),
        ({"Subject": "s", "Message": "x", "OrderId": 7}, "s", "x"),
        ({"Subject": 7, "Message": "x"}, "7", "x"),
        ({"Subject": "s", "Message": 7}, "s", "7"),
        (NOTIFICATION, "", None),
        ({**NOTIFICATION, "Subject": ""}, "", None),
        ({"Subject": None, "Message": "x"}, "", None),
        ({"Subject": False, "Message": "x"}, "", None),
        ({"Subject": "s", "Message": {"lost": "as it was"}}, "", None),
        ({"Subject": "s", "Message": None}, "", None),
    ],
)
def test_legacy_opens_what_has_a_subject_and_nothing_else(
    document: dict[str, object], subject: str, body: str | None
) -> None:
    text = json.dumps(document)

    content = open_envelope(a_message(body=text), "legacy")

    assert (content.subject, content.body) == (subject, text if body is None else body)


def is_envelope(document: object) -> TypeGuard[dict[str, str]]:
    if not isinstance(document, dict) or not isinstance(document.get("Message"), str):
        return False
    if document.keys() == {"Subject", "Message"}:
        return isinstance(document["Subject"], str)
    texts = (document.get("TopicArn"), document.get("MessageId"))
    return (
        document.get("Type") == "Notification"
        and all(isinstance(text, str) for text in texts)
        and str(texts[0]).startswith("arn:")
    )


@given(st.sampled_from(["", '{"Message"', '{"Message":"', '{"Message":[']), TEXTS)
def test_no_body_is_too_strange(start: str, rest: str) -> None:
    assert open_envelope(a_message(body=start + rest)).body == start + rest
