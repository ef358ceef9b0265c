"""How a tool waits: what it says, how often it tries, and when it gives up."""

import contextlib
import io

import anyio
import pytest

from watchbot.aws import Client
from watchbot.errors import GaveUp, Unreachable
from watchbot.patience import NoAnswerInTime, Patience, patience, waiting
from watchbot.sqs.destination import QueueDestination
from watchbot.sqs.outgoing import Outgoing
from watchbot.sqs.publish import Publisher
from watchbot.sqs.queue import SqsQueue


class Mute:
    """The inside of a `Client`: counts the calls, and answers none."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, operation: str) -> object:
        async def call(**_: object) -> None:
            self.calls += 1
            await anyio.sleep_forever()

        return call


def short(err: io.StringIO | None = None) -> Patience:
    return Patience(err=err or io.StringIO(), said_after_s=0, given_up_after_s=0.1)


@pytest.mark.jumping
async def test_call_without_an_answer_is_said_once_and_then_given_up() -> None:
    err, raw = io.StringIO(), Mute()

    with patience(short(err)), pytest.raises(GaveUp, match=r"no answer in 0\.1 s; check the netw"):
        await SqsQueue(Client("sqs", raw), "http://h/1/q").facts()

    assert err.getvalue() == "watchbot: waiting for get_queue_attributes of SQS\n"
    assert raw.calls == 1


@pytest.mark.jumping
async def test_what_was_given_up_is_not_sent_again() -> None:
    raw = Mute()
    publisher = Publisher(QueueDestination(Client("sqs", raw), "http://h/1/q"))

    with patience(short()), pytest.raises(GaveUp):
        async for _ in publisher.publish([Outgoing(body="x")]):
            pass

    assert raw.calls == 1


async def test_tries_in_a_row_share_the_time_of_one_and_are_told_once() -> None:
    err, tries = io.StringIO(), 0
    way = short(err)

    async def unanswered() -> None:
        nonlocal tries
        tries += 1
        await anyio.sleep(0.02)  # a try that fails after a while
        raise Unreachable(service="SQS", operation="o", code="Timeout", text="no")

    async def tried_for_ever() -> None:
        while True:
            with contextlib.suppress(Unreachable):
                await way.answer("it", unanswered)

    with pytest.raises(NoAnswerInTime):
        await tried_for_ever()

    assert tries <= 6  # of 0.02 s each
    assert err.getvalue() == "watchbot: waiting for it\n"


@pytest.mark.jumping
async def test_answer_begins_the_time_anew() -> None:
    way = short()

    async def later() -> str:
        await anyio.sleep(0.06)  # an answer within the patience
        return "answer"

    assert [await way.answer("it", later) for _ in range(3)] == ["answer"] * 3


@pytest.mark.jumping
async def test_answer_that_is_held_back_on_purpose_is_waited_for() -> None:
    async def later() -> str:
        await anyio.sleep(0.2)  # an answer later than the patience
        return "answer"

    assert await short().answer("it", later, held_s=1) == "answer"


async def test_service_waits_as_its_own_loops_decide() -> None:
    async def later() -> str:
        await anyio.sleep(0.01)  # an answer that no patience limits
        return "answer"

    assert await waiting().answer("it", later) == "answer"
