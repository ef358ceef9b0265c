from tests.support.builders import a_message
from watchbot.sqs.message import timestamp


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
