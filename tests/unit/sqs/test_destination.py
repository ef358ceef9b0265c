"""A message as a queue and a topic get it, and what they answer."""

import json
from typing import Any

import pytest

from watchbot.aws import Client
from watchbot.sqs.destination import QueueDestination, TopicDestination
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.message import Attribute, Message
from watchbot.sqs.outgoing import Outgoing, Unsent


class RawClient:
    """The inside of a `Client`: gives a set answer, and remembers the request."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.request: dict[str, Any] = {}

    async def publish_batch(self, **request: Any) -> dict[str, Any]:
        self.request = request
        return self.answer

    async def send_message_batch(self, **request: Any) -> dict[str, Any]:
        self.request = request
        return self.answer


EVERYTHING = Outgoing(
    body="body",
    subject="subject",
    attributes={
        "text": Attribute(type="String", value="v"),
        "bytes": Attribute(type="Binary", value="AP8="),
    },
    group_id="g",
    dedup_id="d",
)
FIELDS = {
    "Id": "0",
    "MessageAttributes": {
        "text": {"DataType": "String", "StringValue": "v"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\0\xff"},
    },
    "MessageGroupId": "g",
    "MessageDeduplicationId": "d",
}


async def test_topic_gets_all_fields_of_a_message() -> None:
    raw = RawClient({"Successful": [{"Id": "0", "MessageId": "m"}]})
    topic = TopicDestination(Client("sns", raw), "arn:aws:sns:us-east-1:123456789012:t.fifo")

    assert await topic.send([topic.fit(EVERYTHING)]) == ["m"]
    assert raw.request == {
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:t.fifo",
        "PublishBatchRequestEntries": [{"Message": "body", "Subject": "subject", **FIELDS}],
    }
    assert topic.fifo


async def test_queue_gets_the_subject_in_an_envelope() -> None:
    raw = RawClient({"Successful": [{"Id": "0", "MessageId": "m"}]})
    queue = QueueDestination(Client("sqs", raw), "https://sqs.us-east-1.amazonaws.com/1/q")

    assert await queue.send([queue.fit(EVERYTHING)]) == ["m"]
    [entry] = raw.request["Entries"]
    body = entry.pop("MessageBody")
    assert entry == FIELDS
    assert json.loads(body) == {"Subject": "subject", "Message": "body"}
    content = open_envelope(Message(id="m", receipt="r", body=body, asked_at=0))
    assert (content.subject, content.body) == ("subject", "body")
    assert not queue.fifo


async def test_queue_gets_the_trace_header() -> None:
    raw = RawClient({"Successful": [{"Id": "0", "MessageId": "m"}]})
    queue = QueueDestination(Client("sqs", raw), "https://sqs.us-east-1.amazonaws.com/1/q")

    await queue.send([Outgoing(body="body", trace_header="Root=1-5759e988")])

    [entry] = raw.request["Entries"]
    assert entry["MessageSystemAttributes"] == {
        "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988"}
    }


async def test_queue_gets_a_body_without_subject_as_it_is() -> None:
    raw = RawClient({"Successful": [{"Id": "0", "MessageId": "m"}]})
    queue = QueueDestination(Client("sqs", raw), "https://sqs.us-east-1.amazonaws.com/1/q.fifo")

    await queue.send([queue.fit(Outgoing(body="body"))])

    assert raw.request["Entries"] == [{"Id": "0", "MessageBody": "body"}]
    assert queue.fifo


def a_failure(code: str, **more: Any) -> dict[str, Any]:
    return {"Failed": [{"Id": "0", "Code": code, **more}]}


ANSWERS = [
    pytest.param(
        {},
        Unsent(code="NoAnswer", text="AWS did not say what became of it", passing=True),
        id="left out",
    ),
    pytest.param(
        a_failure("Bad", SenderFault=True, Message="a\n b"),
        Unsent(code="Bad", text="a b"),
        id="sender's fault",
    ),
    pytest.param(
        a_failure("Odd", SenderFault=False),
        Unsent(code="Odd", text="", passing=True),
        id="not the sender's fault",
    ),
    pytest.param(
        a_failure("RequestThrottled", SenderFault=True),
        Unsent(code="RequestThrottled", text="", passing=True),
        id="throttled",
    ),
    pytest.param(
        a_failure("InternalError", SenderFault=True),
        Unsent(code="InternalError", text="", passing=True),
        id="internal",
    ),
]


@pytest.mark.parametrize(("answer", "result"), ANSWERS)
async def test_refused_entry_says_whether_it_may_pass(
    answer: dict[str, Any], result: Unsent
) -> None:
    queue = QueueDestination(Client("sqs", RawClient(answer)), "https://sqs/1/q")

    assert await queue.send([Outgoing(body="0")]) == [result]
