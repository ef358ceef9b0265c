"""Answers with status 200 that are none of SQS, or only in part."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.answering import Answering, answering
from tests.support.builders import a_message
from watchbot.aws import open_client
from watchbot.errors import AwsError, Unreachable
from watchbot.settings.base import AwsEndpoint
from watchbot.sqs.destination import QueueDestination, TopicDestination
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.sqs.queue import Refusal, SqsQueue
from watchbot.sqs.redrive import redrive

GOOD = {"MessageId": "good", "ReceiptHandle": "r", "Body": "b"}
PAGE = ("<html><body>Please sign in</body></html>", "text/html")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with answering() as found:
        yield found


async def asked(server: Answering, what: str) -> Any:
    aws = AwsEndpoint(region="us-east-1", endpoint_url=server.url)
    service = "sns" if what == "publish" else "sqs"
    async with open_client(service, aws, attempts=1) as client:
        queue = SqsQueue(client, f"{server.url}/1/q")
        entries = [Outgoing(body="a"), Outgoing(body="b")]
        if what == "receive":
            return await queue.receive(10, 1, 30)
        if what == "facts":
            return await queue.facts()
        if what == "delete":
            return await queue.delete([a_message("a"), a_message("b")])
        if what == "hide":
            return await queue.hide([(a_message("a"), 0), (a_message("b"), 0)])
        if what == "publish":
            return await TopicDestination(client, "arn:aws:sns:us-east-1:1:t").send(entries)
        return await QueueDestination(client, queue.url).send(entries)


@pytest.mark.parametrize("what", ["receive", "facts", "delete", "hide", "send", "publish"])
async def test_page_is_no_answer_to_anything(server: Answering, what: str) -> None:
    server.say(*PAGE)

    with pytest.raises(Unreachable):
        await asked(server, what)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", "text/plain"),
        ("null", "application/json"),
        ("[]", "application/json"),
        ('{"status": "ok"}', "application/json"),
        ('{"Messages": [{"MessageId": "a', "application/json"),
    ],
)
async def test_what_is_no_answer_is_a_failure(server: Answering, body: str, kind: str) -> None:
    server.say(body, kind)

    with pytest.raises(Unreachable):
        await asked(server, "receive")


async def test_page_in_the_place_of_an_answer_is_named(server: Answering) -> None:
    server.say(*PAGE)

    with pytest.raises(AwsError, match=r"NoAnswer: .*text/html, '<html><body>Please sign in"):
        await asked(server, "receive")


@pytest.mark.parametrize("body", ["{}", '{"Messages": []}', '{"Messages": null}'])
async def test_empty_queue_is_no_failure(server: Answering, body: str) -> None:
    server.say(body)

    assert await asked(server, "receive") == []


async def test_queue_without_attributes_is_no_answer(server: Answering) -> None:
    server.say("{}")

    with pytest.raises(Unreachable, match="no attributes"):
        await asked(server, "facts")


UNREADABLE = [
    {},
    None,
    "text",
    [GOOD],
    7,
    {"MessageId": "m", "ReceiptHandle": "r"},
    {**GOOD, "Body": None},
    {**GOOD, "Body": 7},
    {**GOOD, "ReceiptHandle": ""},
    {"ReceiptHandle": "r", "Body": "b"},
    {**GOOD, "Attributes": {"SenderId": None}},
    {**GOOD, "Attributes": [1]},
    {**GOOD, "Attributes": {"ApproximateReceiveCount": "many"}},
    {**GOOD, "Attributes": {"ApproximateReceiveCount": "-1"}},
    {**GOOD, "Attributes": {"ApproximateReceiveCount": "9" * 30}},
    {**GOOD, "MessageAttributes": {"a": None}},
    {**GOOD, "MessageAttributes": {"a": "b"}},
    {**GOOD, "MessageAttributes": {"a": {"StringValue": "no type"}}},
    {**GOOD, "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": 7}}},
]


async def test_message_that_cannot_be_read_is_told_of_and_stops_no_other(
    server: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    server.say(json.dumps({"Messages": [*UNREADABLE, GOOD]}))

    with caplog.at_level(logging.ERROR):
        messages = await asked(server, "receive")

    assert [message.id for message in messages] == ["good"]
    assert [record.message for record in caplog.records] == ["message cannot be read"] * len(
        UNREADABLE
    )


async def test_nothing_that_can_be_read_is_no_empty_queue(server: Answering) -> None:
    server.say(json.dumps({"Messages": [{}]}))

    with pytest.raises(Unreachable, match="cannot be read"):
        await asked(server, "receive")

    assert server.asked == 3


async def test_numbers_that_are_no_texts_are_read(server: Answering) -> None:
    system = {"ApproximateReceiveCount": 2, "SentTimestamp": "9" * 19}
    server.say(json.dumps({"Messages": [{**GOOD, "Attributes": system}]}))

    [message] = await asked(server, "receive")

    assert (message.receives, message.sent_ms) == (2, 253_402_300_799_999)


@pytest.mark.parametrize("what", ["delete", "hide"])
@pytest.mark.parametrize(
    "second",
    [
        {"Successful": [{"Id": "0"}]},
        {"Successful": [{"Id": "0"}, {"Id": "7"}, {"Id": "x"}, {"Id": None}, None, {}]},
        {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "SenderFault": True}]},
        {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "Code": ""}]},
        {"Successful": [{"Id": "0"}, {"Id": "1"}], "Failed": [{"Id": "1", "Code": "X"}]},
        {"Successful": [{"Id": "0"}], "Failed": None},
    ],
    ids=str,
)
async def test_entry_without_a_verdict_is_not_settled(
    server: Answering, what: str, second: dict[str, Any]
) -> None:
    server.say(json.dumps(second))

    first, last = await asked(server, what)

    assert first is None
    assert isinstance(last, Refusal)
    assert (last.code, last.lost) == ("NoAnswer", False)


@pytest.mark.parametrize(
    "second", [{}, {"Failed": [{"Id": "1"}]}, {"Successful": [{"Id": "1"}]}], ids=str
)
async def test_entry_without_a_verdict_is_sent_again(
    server: Answering, second: dict[str, Any]
) -> None:
    successful = [{"Id": "0", "MessageId": "m"}, *second.get("Successful", [])]
    server.say(json.dumps({**second, "Successful": successful}))

    first, last = await asked(server, "send")

    assert first == "m"
    assert isinstance(last, Unsent)
    assert last.passing


async def test_attributes_of_a_queue_that_nobody_can_read_are_left_out(server: Answering) -> None:
    attributes = {
        "QueueArn": "arn:q",
        "ApproximateNumberOfMessages": "many",
        "RedrivePolicy": "{",
        "Policy": "[]",
    }
    server.say(json.dumps({"Attributes": attributes}))

    assert await asked(server, "facts") == {"QueueArn": "arn:q"}


@pytest.mark.parametrize(
    ("policy", "most"),
    [
        ('{"deadLetterTargetArn": "a", "maxReceiveCount": "x"}', 10),
        ('{"maxReceiveCount": 3}', None),
    ],
)
def test_redrive_policy_that_says_half_is_read_as_far_as_it_goes(
    policy: str, most: int | None
) -> None:
    found = redrive({"RedrivePolicy": policy})

    assert (found and found.max_receives) == most
