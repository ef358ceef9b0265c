"""Real processes that stay: what they are handed, what their answers mean, and how bad ones end."""

import logging
from pathlib import Path

import pytest

from tests.support.handing import a_queue, left, worked_off
from watchbot.outcome import COMPLETED, FAILED, REJECTED, RELEASED, RETURNED, TIMED_OUT

ANSWER = """
    while IFS= read -r m; do
        case $m in *wrong*) echo "1 no good" >&3 ;; *) echo 0 >&3 ;; esac
    done"""
SLEEP = "sleep 600"


async def test_one_process_works_for_all_messages_and_answers_each() -> None:
    queue = a_queue("a", "wrong", "c")
    script = f"echo $$ >> pids; {ANSWER}"

    ends = await worked_off(queue, f"cd $WATCHBOT_SCRATCH; {script}; cat pids >&2", warm="lines")

    assert ends.outcomes == [("a", COMPLETED), ("wrong", FAILED), ("c", COMPLETED)]
    assert ends.how("wrong") == "no good"
    assert await left(queue) == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("0", COMPLETED),
        ("3 never", REJECTED),
        ("4", RETURNED),
        ("255", FAILED),
        ('{"exit": 0}', COMPLETED),
        ('{"exit": 3, "reason": "never"}', REJECTED),
    ],
)
async def test_answer_means_what_an_exit_code_would(answer: str, outcome: object) -> None:
    queue = a_queue("a")

    ends = await worked_off(queue, f"while read -r m; do echo '{answer}' >&3; done", warm="lines")

    assert ends.outcomes == [("a", outcome)]


async def test_worker_says_when_a_message_is_to_come_back() -> None:
    queue = a_queue("a")
    answer = '{"exit": 4, "retryAfter": 601.5, "reason": "later"}'

    ends = await worked_off(queue, f"while read -r m; do echo '{answer}' >&3; done", warm="lines")

    assert [(report.pause_s, report.how) for report in ends.reports] == [(602, "later")]


async def test_wish_is_cut_by_what_is_left_of_twelve_hours() -> None:
    queue = a_queue("a")
    answer = '{"exit": 4, "retryAfter": 1e9}'

    ends = await worked_off(queue, f"while read -r m; do echo '{answer}' >&3; done", warm="lines")

    assert 43_000 < ends.reports[0].pause_s < 43_200


async def test_what_is_printed_belongs_to_the_message_that_is_not_answered() -> None:
    queue = a_queue("a", "b")
    script = 'while read -r m; do echo "out $m" | cut -c1-60; echo err >&2; echo "1 no" >&3; done'

    ends = await worked_off(queue, script, warm="lines")

    for report in ends.reports:
        assert report.message.id in report.tail
        assert report.tail.endswith("err\n")


async def test_scratch_is_empty_for_each_run() -> None:
    queue = a_queue("a", "b")
    script = 'while read -r m; do ls $WATCHBOT_SCRATCH; touch $TMPDIR/old; echo "1 no" >&3; done'

    ends = await worked_off(queue, script, warm="lines")

    assert [report.tail for report in ends.reports] == ["", ""]


async def test_process_is_replaced_after_so_many_runs() -> None:
    queue = a_queue("a", "b", "c")
    script = 'while read -r m; do echo "pid $$"; echo "1 no" >&3; done'

    ends = await worked_off(queue, script, warm="lines", recycle_after=2)

    first, second, third = (ends.tail(body) for body in "abc")
    assert first == second != third


async def test_process_that_holds_too_much_is_replaced() -> None:
    queue = a_queue("a", "b")
    script = 'while read -r m; do echo "pid $$"; echo "1 no" >&3; done'

    ends = await worked_off(queue, script, warm="lines", recycle_memory=1)

    assert ends.tail("a") != ends.tail("b")


async def test_body_too_long_for_a_line_is_in_a_file() -> None:
    queue = a_queue("x" * 2_000)
    script = """
        while IFS= read -r m; do
            file=${m#*'"MessageFile":"'}
            echo "1 $(wc -c < ${file%%'"'*}) ${m%%MessageFile*}" | cut -c1-40 >&3
        done"""

    ends = await worked_off(queue, script, warm="lines", max_line=1_024)

    assert ends.reports[0].how.startswith('2000 {"MessageId":"')
    assert '"Message"' not in ends.reports[0].how


async def test_batch_is_handed_over_at_once_and_each_message_has_its_own_end() -> None:
    queue = a_queue("a", "wrong", "c", "d")

    ends = await worked_off(queue, ANSWER, warm="lines", batch_size=4, batch_window=5)

    assert sorted(ends.outcomes, key=str) == sorted(
        [("a", COMPLETED), ("wrong", FAILED), ("c", COMPLETED), ("d", COMPLETED)], key=str
    )
    assert len({report.run.id for report in ends.reports if report.run}) == 1
    assert await left(queue) == 1


async def test_what_is_behind_a_failure_in_its_group_goes_back_whatever_was_answered() -> None:
    queue = a_queue("a", "wrong", "c", group="g")

    ends = await worked_off(queue, ANSWER, warm="lines", batch_size=3)

    assert ends.outcomes == [("a", COMPLETED), ("wrong", FAILED), ("c", RELEASED)]
    assert await left(queue) == 2


NO_CODE = "its answer is no exit code from 0 to 255: "
BAD = {  # what a worker does, and how its messages fail then
    "garbage": (f"read m; echo hello >&3; {SLEEP}", f"{NO_CODE}'hello'"),
    "a code that is none": (f"read m; echo 256 >&3; {SLEEP}", f"{NO_CODE}'256'"),
    "an empty line": (f"read m; echo >&3; {SLEEP}", f"{NO_CODE}an empty line"),
    "no JSON": (f"read m; echo '{{no' >&3; {SLEEP}", "its answer is no JSON: '{no'"),
    "closes descriptor 3": (
        f"read m; exec 3>&-; {SLEEP}",
        "it closed descriptor 3, on which it answers",
    ),
    "floods descriptor 3": (
        f"read m; head -c 9999999 /dev/zero >&3; {SLEEP}",
        "its answer is longer than 65,536 bytes",
    ),
    "forks and leaves": ("read m; sleep 600 & exit 0", "ended without an answer: exit code 0"),
    "dies in each run": ("read m; kill -9 $$", "ended without an answer: signal SIGKILL"),
    "answers for another": (
        f"""read m; echo '{{"exit": 0, "id": "x"}}' >&3; {SLEEP}""",
        "its answer is for 'x', where",
    ),
    "a field that means nothing": (
        f"""read m; echo '{{"exit": 0, "retry": 1}}' >&3; {SLEEP}""",
        "its answer has 'retry', which means nothing",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_worker_loses_no_message_and_holds_nobody_up(name: str) -> None:
    script, reason = BAD[name]
    queue = a_queue("a", "b")

    ends = await worked_off(queue, script, warm="lines")

    assert ends.outcomes == [("a", FAILED), ("b", FAILED)]
    assert all(report.how.startswith(reason) for report in ends.reports)
    assert await left(queue) == 2


@pytest.mark.parametrize(
    "script",
    [
        SLEEP,
        "trap '' TERM; read m; while :; do sleep 1; done",
        f"read m; exec <&-; {SLEEP}",
    ],
    ids=["never reads", "ignores SIGTERM", "closes its input"],
)
async def test_worker_that_does_not_answer_is_ended_at_the_deadline(script: str) -> None:
    queue = a_queue("a", "b")

    ends = await worked_off(queue, script, warm="lines", max_job_duration=0.5, kill_grace=0.2)

    assert set(ends.outcomes) == {("a", TIMED_OUT), ("b", TIMED_OUT)}
    assert ends.how("a") == "ran over 0.5 s"
    assert await left(queue) == 2


async def test_answer_that_a_worker_gives_after_its_sigterm_counts() -> None:
    queue = a_queue("a")
    script = "trap 'echo 0 >&3; exit' TERM; read -r m; sleep 60"

    ends = await worked_off(queue, script, warm="lines", max_job_duration=0.3)

    assert ends.outcomes == [("a", COMPLETED)]
    assert await left(queue) == 0


async def test_worker_that_answers_twice_is_ended_and_its_messages_keep_their_first_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = a_queue("a", "b")
    caplog.set_level(logging.WARNING)

    both = "printf '0\\n0\\n' >&3"  # one write: the second could be taken for the next message's
    ends = await worked_off(queue, f"while read -r m; do {both}; done", warm="lines")

    assert ends.outcomes == [("a", COMPLETED), ("b", COMPLETED)]
    said = [record for record in caplog.records if "starting another" in record.message]
    assert {vars(record)["reason"] for record in said} == {"it answered where it had no message"}
    assert await left(queue) == 0


async def test_worker_that_hangs_up_before_its_message_fails_it() -> None:
    queue = a_queue("a")

    ends = await worked_off(queue, "exec 3>&-; sleep 600", warm="lines")

    assert ends.outcomes == [("a", FAILED)]
    assert ends.how("a") == "it closed descriptor 3, on which it answers"


async def test_message_of_a_process_that_dies_at_its_start_waits_for_one_that_lives(
    tmp_path: Path,
) -> None:
    queue = a_queue("a", "b")
    deaths = tmp_path / "deaths"
    script = f"""
        case $(cat {deaths} 2>/dev/null | wc -l) in
            0) echo >> {deaths}; sleep 1.2; read -r m; echo 0 >&3; exit 7;;
            1) echo >> {deaths}; exit 8;;
        esac
        {ANSWER}
    """

    ends = await worked_off(queue, script, warm="lines")

    assert ("a", COMPLETED) in ends.outcomes
    assert len(ends.outcomes) == 2
    assert await left(queue) <= 1
