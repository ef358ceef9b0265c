"""Real processes that are handed one batch: their answers, and the exit code for the rest."""

import pytest

from tests.support.handing import a_queue, left, worked_off
from watchbot.outcome import COMPLETED, FAILED, REJECTED, RELEASED, RETURNED, TIMED_OUT, Outcome

BATCH = {"batch_size": 3, "batch_window": 5}


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("cat", COMPLETED),
        ("true", COMPLETED),
        ("exit 1", FAILED),
        ("cat; exit 3", REJECTED),
        ("cat; exit 4", RETURNED),
        ("kill -9 $$", FAILED),
        ("exec 3>&-; cat", COMPLETED),
    ],
)
async def test_exit_code_is_the_verdict_of_every_message_without_an_answer(
    script: str, outcome: Outcome
) -> None:
    queue = a_queue("a", "b", "c")

    ends = await worked_off(queue, script, **BATCH)

    assert ends.outcomes == [("a", outcome), ("b", outcome), ("c", outcome)]
    assert len({report.run.id for report in ends.reports if report.run}) == 1


async def test_answers_come_before_the_exit_code() -> None:
    queue = a_queue("a", "b", "c")

    ends = await worked_off(
        queue, "read m; echo 0 >&3; read m; echo '3 never' >&3; exit 1", **BATCH
    )

    assert ends.outcomes == [("a", COMPLETED), ("b", REJECTED), ("c", FAILED)]
    assert ends.how("b") == "never"
    assert await left(queue) == 1


async def test_message_is_settled_when_its_answer_is_read() -> None:
    queue = a_queue("a", "b", "c")
    script = "echo 0 >&3; sleep 600"

    ends = await worked_off(queue, script, max_job_duration=0.5, kill_grace=0.2, **BATCH)

    assert ends.outcomes == [("a", COMPLETED), ("b", TIMED_OUT), ("c", TIMED_OUT)]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo no >&3; sleep 600", "its answer is no exit code from 0 to 255: 'no'"),
        ("head -c 9999999 /dev/zero >&3; sleep 600", "its answer is longer than 65,536 bytes"),
    ],
)
async def test_bad_answer_fails_what_is_not_answered(script: str, reason: str) -> None:
    queue = a_queue("a", "b", "c")

    ends = await worked_off(queue, script, **BATCH)

    assert [report.how for report in ends.reports] == [reason] * 3
    assert await left(queue) == 3


async def test_what_is_behind_a_failure_in_its_group_goes_back() -> None:
    queue = a_queue("a", "b", "c", group="g")

    ends = await worked_off(queue, "echo 0 >&3; echo 1 >&3; echo 0 >&3; exit 0", batch_size=3)

    assert ends.outcomes == [("a", COMPLETED), ("b", FAILED), ("c", RELEASED)]
    assert await left(queue) == 2


async def test_container_that_is_used_once_leaves_after_one_batch() -> None:
    queue = a_queue("a", "b", "c", "d", "e")

    ends = await worked_off(queue, "cat", batch_size=2, writable_filesystem=True)

    assert ends.outcomes == [("a", COMPLETED), ("b", COMPLETED)]
    assert await left(queue) == 3


async def test_batch_knows_its_size_and_no_message() -> None:
    queue = a_queue("a", "b")
    script = 'cat >/dev/null; echo "$WATCHBOT_BATCH $WATCHBOT_WORKER [$Message$MessageId]"; exit 1'

    ends = await worked_off(queue, script, batch_size=2)

    assert ends.tail("a").split("\n")[0] == "2 0 []"
