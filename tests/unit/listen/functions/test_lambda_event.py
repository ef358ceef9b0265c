"""The event of a batch: Lambda's, key for key."""

import base64
import json
from typing import Any

import pytest

from tests.support import sqs_digest
from tests.support.builders import a_message
from watchbot.listen.functions.event import EventSource, NoRecord, cut, event, record
from watchbot.sqs.message import Attribute, Message

MB = 1_000_000
SOURCE = EventSource("arn:aws:sqs:eu-central-1:123456789012:tiles")
SYSTEM: dict[str, Any] = {
    "SenderId": "AIDAEXAMPLE",
    "SentTimestamp": "1700000000000",
    "ApproximateFirstReceiveTimestamp": "1700000000123",
}


def made(*messages: Message, most_bytes: int = 6 * MB) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        event([record(message, SOURCE, most_bytes) for message in messages])
    )
    return found


def test_a_record_has_the_keys_that_lambda_gives_it() -> None:
    message = a_message(
        "m-1",
        body='{"tile": "1/2/3"}',
        attributes={
            "size": Attribute(type="Number", value="12"),
            "icon": Attribute(type="Binary.png", value=base64.b64encode(b"\0\xff").decode()),
        },
        **SYSTEM,
    )

    [found] = made(message)["Records"]

    assert found == {
        "messageId": "m-1",
        "receiptHandle": "r-m-1",
        "body": '{"tile": "1/2/3"}',
        "attributes": {"ApproximateReceiveCount": "1", **SYSTEM},
        "messageAttributes": {
            "size": {
                "stringValue": "12",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Number",
            },
            "icon": {
                "binaryValue": "AP8=",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary.png",
            },
        },
        "md5OfBody": sqs_digest.of_text('{"tile": "1/2/3"}'),
        "md5OfMessageAttributes": sqs_digest.of_attributes(
            {
                "size": {"DataType": "Number", "StringValue": "12"},
                "icon": {"DataType": "Binary.png", "BinaryValue": "AP8="},
            }
        ),
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:tiles",
        "awsRegion": "eu-central-1",
    }


def test_a_message_without_attributes_has_no_digest_of_them() -> None:
    [found] = made(a_message())["Records"]

    assert "md5OfMessageAttributes" not in found
    assert found["messageAttributes"] == {}


def test_what_json_cannot_hold_as_it_is_makes_no_record() -> None:
    with pytest.raises(NoRecord, match="a lone surrogate is in it"):
        record(a_message(body="half \ud800"), SOURCE, MB)


@pytest.mark.parametrize("value", ["no base64", "AP8", "\u00e9"])
def test_a_binary_attribute_that_is_none_is_told_of_in_words(value: str) -> None:
    forged = {"icon": Attribute(type="Binary", value=value)}  # a replay's may be by any sender

    with pytest.raises(NoRecord, match="one of its binary attributes is no base64"):
        made(a_message(attributes=forged))


def test_a_message_that_is_too_large_alone_makes_no_record() -> None:
    with pytest.raises(NoRecord, match=r"[\d,]+ bytes, and --max-event allows 1,000"):
        record(a_message(body="x" * 1000), SOURCE, 1000)


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_an_event_is_cut_where_one_more_record_would_be_too_much(count: int) -> None:
    records = [record(a_message(f"m{n:03}", body="x"), SOURCE, MB) for n in range(100)]
    just_enough = len(event(records[:count]))

    fits = cut([len(one) for one in records], just_enough)
    fewer = cut([len(one) for one in records], just_enough - 1)

    assert fits == count
    assert fewer == max(1, count - 1)
    assert cut([len(one) for one in records[:count]], just_enough) == count
