from dataclasses import replace
from typing import Any

import anyio
import pytest

from tests.support.builders import FakeClient, a_message, a_report
from tests.support.topic import FakeTopic
from watchbot.errors import Denied, Throttled
from watchbot.listen.care import Ending
from watchbot.listen.notify import ALIKE_A_MINUTE, CALLS_AT_ONCE, MAX_WAITING, Notifier
from watchbot.listen.report import MAX_REASON, Report, not_run
from watchbot.outcome import FAILED, REJECTED

pytestmark = pytest.mark.jumping

TOPIC = "arn:aws:sns:us-east-1:123456789012:t"


FACTS = {"service": "SNS", "operation": "publish", "code": "x", "text": "y"}


async def told(client: FakeClient | FakeTopic, *reports: Report) -> list[dict[str, Any]]:
    """The notices published for these reports when the watcher ends."""
    notifier = Notifier(client, TOPIC, "my-service", {"Container": "my-container"})  # type: ignore[arg-type]  # a fake
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run)
            for report in reports:
                notifier.notify(report)
            await notifier.close()
    return client.requests


async def test_notice_says_what_a_person_on_call_wants_to_know() -> None:
    (request,) = await told(FakeClient(), a_report())

    assert request["Subject"] == "watchbot: failed (exit code 1) in my-service"
    for line in (
        "Service: my-service",
        "Ending: exit code 1",
        "Duration: 1.500 s",
        "Receives: 2",
        "Container: my-container",
        "MessageId: m0",
        "Message: body 0",
        "last words",
    ):
        assert f"\n{line}\n" in request["Message"] + "\n"
    attributes = {name: item["StringValue"] for name, item in request["MessageAttributes"].items()}
    assert attributes["outcome"] == "failed"
    assert attributes["exit_code"] == "1"
    assert len(attributes["fingerprint"]) == 16


async def test_many_alike_are_gathered_into_one_with_a_count() -> None:
    requests = await told(FakeTopic(), *(a_report(number) for number in range(50)))

    assert len(requests) == ALIKE_A_MINUTE + 1
    assert requests[-1]["Subject"].startswith("watchbot: 40 x failed")


async def test_different_failures_are_told_one_by_one() -> None:
    tails = [f"error of kind {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]

    requests = await told(FakeTopic(), *(a_report(tail=tail) for tail in tails))

    assert len(requests) == 26


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("key 17 missing", "key 42 missing", True),
        ("at 0x7f3a", "at 0x11bb", True),
        ("no such file", "no such host", False),
        pytest.param("1" * 100_000 + "g", "g", False, id="long dump"),  # else it takes minutes
    ],
)
def test_fingerprint_masks_numbers(one: str, other: str, alike: bool) -> None:
    assert (a_report(tail=one).fingerprint == a_report(tail=other).fingerprint) is alike


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("payload: s3://b/0f3a-77: SlowDown: no", "payload: s3://b/91c2-04: SlowDown: no", True),
        ("no tile 17 of the map", "no tile 4 of the map", True),
        ("no tile", "no map", False),
    ],
)
def test_fingerprint_masks_numbers_of_a_reason(one: str, other: str, alike: bool) -> None:
    assert (a_report(reason=one).fingerprint == a_report(reason=other).fingerprint) is alike


def test_fingerprint_tells_exit_codes_apart_also_with_a_reason() -> None:
    one, other = (a_report(reason="no tile", ending=Ending(exit_code=code)) for code in (1, 2))

    assert one.fingerprint != other.fingerprint


async def test_failed_publish_is_tried_again_and_a_refused_one_is_not() -> None:
    retried = await told(FakeClient(Throttled(**FACTS)), a_report())
    refused = await told(FakeClient(Denied(**FACTS)), a_report(), a_report(outcome=REJECTED))

    assert len(retried) == 2
    assert retried[0] == retried[1]
    assert len(refused) == 1  # both were in it


async def test_text_fits_whatever_the_message_holds() -> None:
    message = a_message(body="\0\x1b\ud800é" * 300_000)
    report = a_report(
        message=message, content=not_run(message, FAILED, "").content, tail="\U0001f600" * 16_000,
        reason="odd \n reason é" * 20,
    )  # fmt: skip

    (request,) = await told(FakeClient(), report)

    assert len(request["Message"].encode()) <= 250_000
    assert len(request["Subject"]) < 100
    assert request["Subject"].isascii()
    assert request["Subject"].isprintable()
    assert not set("\0\x1b\ud800") & set(request["Message"])


async def test_subject_of_a_message_forges_no_fact() -> None:
    report = a_report()
    forged = replace(report.content, subject="x\nOutcome: completed")

    (request,) = await told(FakeClient(), replace(report, content=forged))

    assert "\nOutcome: completed" not in request["Message"]
    assert "\nSubject: x Outcome: completed\n" in request["Message"]


@pytest.mark.parametrize(
    "reason", ["x\nOutcome: completed", "x\r\nOutcome: completed" + "x" * 70_000]
)
async def test_reason_of_a_worker_or_a_sender_forges_no_fact(reason: str) -> None:
    report = a_report(reason=reason)

    (request,) = await told(FakeClient(), report)

    assert request["Message"].count("\nOutcome: ") == 1
    assert "\nEnding: x Outcome: completed" in request["Message"]
    assert len(report.how) <= MAX_REASON


@pytest.mark.parametrize("reason", ["", " \n", None])
async def test_reason_without_a_word_is_none(reason: str | None) -> None:
    (request,) = await told(FakeClient(), a_report(reason=reason))

    assert "\nEnding: exit code 1\n" in request["Message"]


async def test_calls_run_at_once_and_carry_ten_notices_when_many_wait() -> None:
    client = FakeTopic(open=anyio.Event())
    notifier = Notifier(client, TOPIC, "my-service", {})  # type: ignore[arg-type]  # a fake
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        for number in range(100):
            notifier.notify(a_report(tail=f"{kind(number)}"))
        await anyio.wait_all_tasks_blocked()
        under_way = list(client.operations)
        client.open.set()
        await notifier.close()

    assert under_way == ["publish_batch"] * CALLS_AT_ONCE
    assert len(client.taken) == 100
    assert len(client.operations) == 10


async def test_wave_of_different_failures_is_told_to_the_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = FakeTopic()
    notifier = Notifier(client, TOPIC, "my-service", {})  # type: ignore[arg-type]  # a fake
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        for number in range(1_250):
            notifier.notify(a_report(tail=kind(number)))
            if number % MAX_WAITING == MAX_WAITING - 1:
                await anyio.wait_all_tasks_blocked()
        await notifier.close()

    assert len(client.taken) == 1_250
    assert caplog.records == []


async def test_what_is_dropped_is_summarised(caplog: pytest.LogCaptureFixture) -> None:
    client = FakeTopic(open=anyio.Event())
    notifier = Notifier(client, TOPIC, "my-service", {})  # type: ignore[arg-type]  # a fake
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        for number in range(MAX_WAITING + 5):
            notifier.notify(a_report(tail=kind(number)))
        notifier.hurry(lambda: 0)
        await notifier.close()
        tasks.cancel_scope.cancel()

    counts = [vars(record)["count"] for record in caplog.records]
    assert sum(counts) == MAX_WAITING + 5
    assert len(counts) == 2


def kind(number: int) -> str:
    """A last line that is like no other, as numbers are masked."""
    return "".join(chr(ord("k") + int(digit)) for digit in str(number))
