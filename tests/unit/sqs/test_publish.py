"""Publishing: batches, retries, order, and what is said about a message that was not sent."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.destination import FakeDestination, no_pause
from watchbot.aws import Client
from watchbot.errors import AwsError, Denied, Rejected, Unreachable
from watchbot.sqs.destination import QueueDestination, Result, TopicDestination
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.message import Attribute, Message
from watchbot.sqs.outgoing import MESSAGE_BYTES, Outgoing, Unsent, flaw, size_bytes
from watchbot.sqs.publish import BATCH_BYTES, LANES, TRIES, Publisher, batches

FACTS = {"service": "SNS", "operation": "publish_batch", "code": "Code", "text": "text"}
THROTTLED = Unsent(code="Throttled", text="slow down", passing=True)
REFUSED = Unsent(code="InvalidParameterValue", text="no")


def a_message(body: str, **more: Any) -> Outgoing:
    return Outgoing(body=body, **more)


def numbered(count: int, **more: Any) -> list[Outgoing]:
    return [a_message(str(number), **more) for number in range(count)]


async def published(
    destination: FakeDestination, messages: Iterable[Outgoing], results: list[Result] | None = None
) -> list[Result]:
    """The results; they are in `results` too, for when this raises."""
    results = [] if results is None else results
    with anyio.fail_after(5):
        async for result in Publisher(destination, pause=no_pause).publish(messages):
            results.append(result)
    return results


async def test_ids_come_in_the_order_of_the_messages() -> None:
    destination = FakeDestination()

    results = await published(destination, numbered(95))

    assert results == [f"id-{number}" for number in range(95)]
    assert sorted(map(len, destination.calls)) == [5] + [10] * 9


async def test_nothing_to_send_makes_no_call() -> None:
    destination = FakeDestination()

    assert await published(destination, []) == []
    assert destination.calls == []


async def test_standard_destination_gets_some_batches_at_once() -> None:
    arrivals = 0
    all_there = anyio.Event()

    async def wait_for_all() -> None:
        nonlocal arrivals
        arrivals += 1
        if arrivals == LANES:
            all_there.set()
        await all_there.wait()

    destination = FakeDestination(meanwhile=wait_for_all)

    await published(destination, numbered(100))

    assert destination.most_under_way == LANES


async def test_fifo_destination_gets_one_batch_at_a_time_in_order() -> None:
    destination = FakeDestination(fifo=True, meanwhile=anyio.lowlevel.checkpoint)

    await published(destination, numbered(100, group_id="a"))

    assert destination.most_under_way == 1
    assert destination.bodies == [str(number) for number in range(100)]


async def test_messages_are_taken_as_they_are_needed() -> None:
    count = itertools.count()
    endless: Iterator[Outgoing] = (a_message(str(number)) for number in count)

    async for _ in Publisher(FakeDestination()).publish(endless):
        break

    assert next(count) <= 10 * LANES + 1


async def test_only_the_refused_entry_is_sent_again() -> None:
    destination = FakeDestination(refusals={"1": [THROTTLED, THROTTLED]})

    results = await published(destination, numbered(3))

    assert results == ["id-0", "id-1", "id-2"]
    assert destination.calls == [["0", "1", "2"], ["1"], ["1"]]


async def test_refusal_that_lasts_is_reported() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    destination = FakeDestination(refusals={"0": [THROTTLED] * TRIES})

    results = [result async for result in Publisher(destination, pause=pause).publish(numbered(2))]

    assert results == [THROTTLED, "id-1"]
    assert len(destination.calls) == TRIES
    assert len(pauses) == TRIES - 1
    assert sum(pauses) <= 12.4


async def test_refusal_for_the_message_itself_is_reported_at_once() -> None:
    destination = FakeDestination(refusals={"1": [REFUSED]})

    assert await published(destination, numbered(3)) == ["id-0", REFUSED, "id-2"]
    assert len(destination.calls) == 1


async def test_call_without_an_answer_is_made_again() -> None:
    destination = FakeDestination(errors=[Unreachable(**FACTS), AwsError(**FACTS)])

    assert await published(destination, numbered(2)) == ["id-0", "id-1"]
    assert len(destination.calls) == 3


async def test_throttling_by_any_name_is_tried_again() -> None:
    throttled = Rejected(**{**FACTS, "code": "KMSThrottlingException"})
    destination = FakeDestination(errors=[throttled])

    assert await published(destination, numbered(2)) == ["id-0", "id-1"]


async def test_calls_that_fail_for_good_end_the_sending_after_all_results() -> None:
    results: list[Result] = []
    errors = [None, Denied(**FACTS)]
    destination = FakeDestination(errors=errors, meanwhile=anyio.lowlevel.checkpoint)

    with pytest.raises(Denied):
        await published(destination, numbered(1000), results)

    assert len(results) == 10 * LANES
    assert results[10:20] == [Unsent(code="Code", text="text")] * 10
    assert [*results[:10], *results[20:]] == [
        f"id-{number}" for number in (*range(10), *range(20, 10 * LANES))
    ]
    assert len(destination.calls) == LANES


async def test_calls_that_are_never_answered_end_the_sending() -> None:
    destination = FakeDestination(errors=[Unreachable(**FACTS)] * TRIES)

    with pytest.raises(Unreachable):
        await published(destination, numbered(5))

    assert len(destination.calls) == TRIES


async def test_call_that_is_refused_for_its_only_message_is_that_messages_fault() -> None:
    destination = FakeDestination(errors=[Rejected(**FACTS)])
    large = a_message("x" * BATCH_BYTES)

    results = await published(destination, [large, a_message("1")])

    assert results == [Unsent(code="Code", text="text"), "id-1"]


@pytest.mark.parametrize(
    ("fifo", "last"), [(False, "id-2"), (True, "a message before it in its group was not sent")]
)
async def test_call_that_is_refused_for_one_of_its_messages_costs_the_others_nothing(
    fifo: bool, last: str
) -> None:
    refused = Rejected(**FACTS)
    destination = FakeDestination(fifo=fifo, errors=[refused, None, refused])

    results = await published(destination, numbered(3, group_id="g"))

    assert results[:2] == ["id-0", Unsent(code="Code", text="text")]
    assert (results[2].text if isinstance(results[2], Unsent) else results[2]) == last


async def test_calls_that_are_refused_whatever_is_in_them_end_the_sending() -> None:
    destination = FakeDestination(errors=[Rejected(**FACTS)] * 4)

    with pytest.raises(Rejected):
        await published(destination, numbered(3))

    assert destination.taken == []


FLAWS = [
    pytest.param("x" * (MESSAGE_BYTES + 1), "MessageTooLarge", id="too large"),
    pytest.param("é" * (MESSAGE_BYTES // 2 + 1), "MessageTooLarge", id="too many bytes"),
    pytest.param("", "EmptyMessage", id="empty"),
    pytest.param("a\0", "InvalidMessageContents", id="NUL"),
    pytest.param("\x0b", "InvalidMessageContents", id="control"),
    pytest.param("\ufffe", "InvalidMessageContents", id="noncharacter"),
    pytest.param("\ud800", "InvalidMessageContents", id="surrogate"),
    pytest.param("\udcff", "InvalidMessageContents", id="byte"),
]


@pytest.mark.parametrize(("body", "code"), FLAWS)
async def test_message_that_no_queue_takes_is_named_and_not_sent(body: str, code: str) -> None:
    destination = FakeDestination()

    results = await published(destination, [a_message("0"), a_message(body), a_message("2")])

    assert results[0::2] == ["id-0", "id-2"]
    assert isinstance(results[1], Unsent)
    assert results[1].code == code
    assert destination.bodies == ["0", "2"]


def test_flaw_names_the_byte_that_is_not_utf8() -> None:
    found = flaw(a_message(b"ab\xff".decode(errors="surrogateescape")))

    assert found == Unsent(
        code="InvalidMessageContents", text="its character 3, the byte 0xFF, is not UTF-8"
    )


@pytest.mark.parametrize(
    "body", ["x" * MESSAGE_BYTES, "\t\n\r \ud7ff\ue000\ufffd\U00010000\U0010ffff"]
)
def test_flawless_messages(body: str) -> None:
    assert flaw(a_message(body)) is None


def test_attributes_are_checked_too() -> None:
    bad_text = a_message("0", attributes={"a": Attribute(type="String", value="\0")})
    bad_bytes = a_message("0", attributes={"a": Attribute(type="Binary", value="?")})

    assert [found and found.code for found in map(flaw, (bad_text, bad_bytes))] == [
        "InvalidMessageContents",
        "InvalidAttribute",
    ]


async def test_fifo_group_is_held_back_after_a_message_that_was_not_sent() -> None:
    messages = [
        a_message(f"{group}{number}", group_id=group) for number in range(20) for group in "ab"
    ]
    destination = FakeDestination(fifo=True, refusals={"a2": [REFUSED]})

    results = await published(destination, messages)

    by_group = {group: results[place::2] for place, group in enumerate("ab")}
    assert by_group["b"] == [f"id-b{number}" for number in range(20)]
    assert by_group["a"][:5] == ["id-a0", "id-a1", REFUSED, "id-a3", "id-a4"]  # of one call
    assert {result.code for result in by_group["a"][5:] if isinstance(result, Unsent)} == {
        "NotSent"
    }
    assert [body for body in destination.bodies if body > "a4" and body < "b"] == []


async def test_fifo_group_stays_held_back_in_a_later_call_of_publish() -> None:
    publisher = Publisher(FakeDestination(fifo=True), pause=no_pause)

    [first] = [result async for result in publisher.publish([a_message("\0", group_id="a")])]
    [second] = [result async for result in publisher.publish([a_message("1", group_id="a")])]

    assert isinstance(first, Unsent)
    assert isinstance(second, Unsent)
    assert second.code == "NotSent"


async def test_fifo_message_before_a_flawed_one_is_tried_again() -> None:
    messages = [a_message(body, group_id="a") for body in ("0", "\0", "2")]
    destination = FakeDestination(fifo=True, refusals={"0": [THROTTLED]})

    results = await published(destination, messages)

    assert results[0] == "id-0"
    assert destination.calls == [["0"], ["0"]]
    assert isinstance(results[2], Unsent)


async def test_standard_destination_holds_nothing_back() -> None:
    destination = FakeDestination(refusals={"0": [REFUSED]})

    results = await published(destination, numbered(30, group_id="a"))

    assert results[1:] == [f"id-{number}" for number in range(1, 30)]


outgoing = st.builds(
    Outgoing,
    body=st.one_of(
        st.text(max_size=5),
        st.integers(1, BATCH_BYTES + 9).map("é".__mul__),
        st.integers(1, BATCH_BYTES // 9).map("x".__mul__),
    ),
    attributes=st.dictionaries(
        st.text(max_size=3),
        st.builds(Attribute, type=st.just("String"), value=st.text()),
        max_size=2,
    ),
)


@given(st.lists(outgoing, max_size=40))
def test_batches_lose_nothing_keep_order_and_limits_and_are_full(messages: list[Outgoing]) -> None:
    made = list(batches(messages))

    assert [message for batch in made for message in batch] == messages
    for batch in made:
        assert 1 <= len(batch) <= 10
        assert len(batch) == 1 or sum(map(size_bytes, batch)) <= BATCH_BYTES
    for batch, following in itertools.pairwise(made):
        assert len(batch) == 10 or sum(map(size_bytes, [*batch, following[0]])) > BATCH_BYTES


SIZES = [
    pytest.param(a_message("é"), 2, id="bytes, not characters"),
    pytest.param(a_message("abc", subject="de"), 5, id="subject"),
    pytest.param(
        a_message("a", attributes={"name": Attribute(type="Number", value="12")}),
        1 + 4 + 6 + 2,
        id="attribute",
    ),
    pytest.param(
        a_message("a", attributes={"n": Attribute(type="Binary.png", value="AAAA")}),
        1 + 1 + 10 + 3,
        id="binary attribute",
    ),
]


@pytest.mark.parametrize(("message", "size"), SIZES)
def test_size_is_what_aws_counts(message: Outgoing, size: int) -> None:
    assert size_bytes(message) == size


class RawClient:
    """What `Client` is made of: answers what it is told to, and remembers the request."""

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

    await queue.send([a_message("body", trace_header="Root=1-5759e988")])

    [entry] = raw.request["Entries"]
    assert entry["MessageSystemAttributes"] == {
        "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988"}
    }


async def test_queue_gets_a_body_without_subject_as_it_is() -> None:
    raw = RawClient({"Successful": [{"Id": "0", "MessageId": "m"}]})
    queue = QueueDestination(Client("sqs", raw), "https://sqs.us-east-1.amazonaws.com/1/q.fifo")

    await queue.send([queue.fit(a_message("body"))])

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

    assert await queue.send([a_message("0")]) == [result]
