import json

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
        '{"Subject": "s", "Message": "x", "n": ' + "9" * 5_000 + "}",
    ],
    ids=lambda body: body[:40],
)
def test_anything_else_is_passed_as_it_is(body: str) -> None:
    assert open_envelope(a_message(body=body)).body == body


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["Type", "Subject", "Message", "TopicArn", "MessageAttributes"]),
                inner,
            )
        ),
    )
)
def test_no_body_is_too_strange(document: object) -> None:
    body = json.dumps(document)

    content = open_envelope(a_message(body=body))

    opened = isinstance(document, dict) and content.body == document.get("Message")
    assert opened or content.body == body


def test_timestamp_has_milliseconds_and_a_z() -> None:
    assert timestamp(1_469_664_757_042) == "2016-07-28T00:12:37.042Z"
