"""Publishing: batches, retries, order, and what is said about a message that was not sent."""

import itertools
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.destination import FakeDestination, no_pause, published
from watchbot.errors import AwsError, Denied, Rejected, Unreachable
from watchbot.sqs.destination import Result
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import Outgoing, Unsent, size_bytes
from watchbot.sqs.publish import BATCH_BYTES, LANES, TRIES, Publisher, batches

FACTS = {"service": "SNS", "operation": "publish_batch", "code": "Code", "text": "text"}
THROTTLED = Unsent(code="Throttled", text="slow down", passing=True)
REFUSED = Unsent(code="InvalidParameterValue", text="no")


def a_message(body: str, **more: Any) -> Outgoing:
    return Outgoing(body=body, **more)


def numbered(count: int, **more: Any) -> list[Outgoing]:
    return [a_message(str(number), **more) for number in range(count)]


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
