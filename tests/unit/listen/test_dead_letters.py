"""`--max-attempts`: when a message is given up, and what of it goes to the dead-letter queue."""

from dataclasses import replace

import pytest

from tests.support.builders import a_message
from tests.support.destination import FakeDestination
from watchbot.errors import Denied
from watchbot.listen import dead_letters
from watchbot.listen.care import Ending
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.report import Report, Run, not_run
from watchbot.outcome import COMPLETED, FAILED, RELEASED, RETURNED, TIMED_OUT, Outcome
from watchbot.sqs.evidence import original, read
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import MESSAGE_BYTES, Unsent, size_bytes

COLOUR = {"colour": Attribute(type="String", value="red")}
DENIED = Denied(service="SQS", operation="send_message_batch", code="AccessDenied", text="no")
TOO_LARGE = Unsent(code="InvalidParameterValue", text="too large")


def a_report(
    outcome: Outcome = FAILED, name: str = "m", receives: int = 1, body: str = "body"
) -> Report:
    """The end of a run that exited with 1."""
    message = a_message(name, body=body, receives=receives, attributes=COLOUR)
    report = not_run(message, outcome, "")
    ending = Ending(exit_code=1)
    return replace(
        report,
        ending=ending,
        reason=None,
        run=Run(id="r", duration_s=0.25),
        tail="line\nit broke\n",
    )


def giving_up(
    destination: FakeDestination, *, attempts: int = 3, last_receive: int = 100
) -> DeadLetters:
    return DeadLetters(destination, max_attempts=attempts, last_receive=last_receive)


async def ends(letters: DeadLetters, *reports: Report) -> list[bool]:
    return [await letters.take(report) for report in reports]


async def test_message_is_given_up_at_its_last_attempt() -> None:
    destination = FakeDestination()

    taken = await ends(giving_up(destination), *[a_report()] * 3)

    assert taken == [False, False, True]
    assert destination.bodies == ["body"]


async def test_each_message_is_counted_for_itself() -> None:
    letters = giving_up(FakeDestination(), attempts=2)

    taken = await ends(letters, *[a_report(name=name) for name in ("a", "b", "a", "b")])

    assert taken == [False, False, True, True]


@pytest.mark.parametrize("outcome", [RELEASED, RETURNED])
async def test_run_that_did_not_fail_does_not_count(outcome: Outcome) -> None:
    letters = giving_up(FakeDestination(), attempts=2)

    taken = await ends(letters, a_report(), *[a_report(outcome)] * 5, a_report(TIMED_OUT))

    assert taken == [False] * 6 + [True]


async def test_success_wipes_the_slate() -> None:
    letters = giving_up(FakeDestination(), attempts=2)

    assert await ends(letters, a_report(), a_report(COMPLETED), a_report()) == [False] * 3


async def test_failure_at_the_last_receive_is_the_last_whoever_counted_the_others() -> None:
    letters = giving_up(FakeDestination(), attempts=5, last_receive=10)

    taken = await ends(
        letters, a_report(receives=9), a_report(RETURNED, receives=10), a_report(receives=10)
    )

    assert taken == [False, False, True]


async def test_letter_tells_why_and_keeps_what_is_the_messages_own() -> None:
    destination = FakeDestination()

    await ends(giving_up(destination, attempts=1), a_report(receives=4))

    [sent] = destination.taken
    letter = a_message("letter", attributes=dict(sent.attributes))
    evidence = read(letter)
    assert evidence is not None
    assert (evidence.reason, evidence.exit_code, evidence.duration_s) == ("exit code 1", 1, 0.25)
    assert (evidence.tail, evidence.message_id, evidence.receives) == ("line\nit broke", "m", 4)
    assert evidence.fingerprint == a_report().fingerprint
    assert original(letter).attributes == COLOUR


async def test_fifo_letter_keeps_its_group_and_is_sent_once() -> None:
    destination = FakeDestination(fifo=True)
    report = a_report()
    message = replace(
        report.message, system={"MessageGroupId": "g", "MessageDeduplicationId": "old"}
    )

    await ends(giving_up(destination, attempts=1), *[replace(report, message=message)] * 2)

    assert {(each.group_id, each.dedup_id) for each in destination.taken} == {("g", "m")}


async def test_letter_that_is_too_large_goes_without_the_output() -> None:
    destination = FakeDestination()
    report = replace(a_report(body="x" * (MESSAGE_BYTES - 500)), tail="y" * 2000)

    assert await ends(giving_up(destination, attempts=1), report) == [True]

    [sent] = destination.taken
    assert "watchbot.tail" not in sent.attributes
    assert size_bytes(sent) <= MESSAGE_BYTES


@pytest.mark.parametrize(
    "destination",
    [
        pytest.param(FakeDestination(refusals={"body": [TOO_LARGE] * 9}), id="refused"),
        pytest.param(FakeDestination(errors=[DENIED]), id="denied"),
    ],
)
async def test_message_that_the_dead_letter_queue_does_not_take_goes_back(
    destination: FakeDestination,
) -> None:
    letters = giving_up(destination, attempts=1)

    assert await ends(letters, a_report()) == [False]
    assert destination.taken == []


async def test_message_that_was_not_taken_is_offered_again() -> None:
    destination = FakeDestination(errors=[DENIED])

    assert await ends(giving_up(destination, attempts=2), *[a_report()] * 3) == [False, False, True]


async def test_memory_does_not_grow_with_the_messages() -> None:
    letters = giving_up(FakeDestination(), attempts=2)

    await ends(letters, *[a_report(name=str(n)) for n in range(dead_letters.REMEMBERED + 1)])

    newest, oldest = str(dead_letters.REMEMBERED), "0"
    assert await ends(letters, a_report(name=newest), a_report(name=oldest)) == [True, False]
