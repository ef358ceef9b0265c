"""Lambda runtimes that misbehave: one line each, nothing is lost, and the watcher goes on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cloud import Cloud

RUNTIME = Path(__file__).parents[2] / "support/bad_runtime.py"
WARM = ("--warm", "lambda", "--batch-size", "10", "--breaker", "0")
COUNT = 4


def a_queue(cloud: Cloud, name: str, count: int = COUNT) -> str:
    queue = cloud.queue(name.replace("_", "-"))
    cloud.send_many(queue, [f"message {number}" for number in range(count)])
    return queue


def worked_off(cloud: Cloud, queue: str, how: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a watcher until nothing is visible; how often what goes back is tried is one."""
    command = (sys.executable, str(RUNTIME), how)
    split = words.index("--") if "--" in words else len(words)
    options, more = words[:split], words[split + 1 :]
    return cloud.listen(queue, *WARM, *options, "--", *command, *more)


def outcomes(said: str) -> list[str]:
    return re.findall(r"\[watcher\] \[\S+\] (?:\[failure\] )?(\w+) ending", said)


@pytest.mark.parametrize(
    ("how", "options", "words"),
    [
        ("silent", ("--start-timeout", "1"), "has not asked for work within 1 s (--start-timeout)"),
        ("init_error", (), "Init.Failed: no model"),
        ("dies_at_start", (), "exit code 7; it said: no licence"),
    ],
)
def test_a_runtime_that_cannot_start_ends_the_watcher_before_the_first_message(
    cloud: Cloud, how: str, options: tuple[str, ...], words: str
) -> None:
    queue = a_queue(cloud, how)

    done = worked_off(cloud, queue, how, *options)

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert words in line
    assert cloud.depth(queue) == (COUNT, 0)


@pytest.mark.parametrize(
    ("how", "options", "reason"),
    [
        ("dies_in_each_run", (), "ended without an answer: exit code 5"),
        ("answers_garbage", (), "its answer is no JSON"),
        ("asks_again", (), "it asked for more work before it had answered"),
        ("forks_and_leaves", (), "ended without an answer: exit code 0"),
    ],
)
def test_a_runtime_that_gives_no_answer_fails_what_it_had_in_hand(
    cloud: Cloud, how: str, options: tuple[str, ...], reason: str
) -> None:
    queue = a_queue(cloud, how)

    done = worked_off(cloud, queue, how, *options)

    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout) == ["failed"] * COUNT
    assert done.stdout.count(f'failed ending="{reason}"') == COUNT
    assert "Traceback" not in done.stdout + done.stderr
    assert sum(cloud.depth(queue)) == COUNT


def test_a_runtime_that_never_answers_is_killed_at_its_deadline(cloud: Cloud) -> None:
    queue = a_queue(cloud, "never")

    done = worked_off(
        cloud, queue, "never_answers", "--max-job-duration", "1", "--kill-grace", "0.2"
    )

    assert done.returncode == 0
    assert outcomes(done.stdout) == ["timed_out"] * COUNT
    assert sum(cloud.depth(queue)) == COUNT


def test_an_answer_after_the_deadline_is_gone(cloud: Cloud) -> None:
    queue = a_queue(cloud, "late")

    done = worked_off(cloud, queue, "answers_when_it_is_told_to_end", "--max-job-duration", "0.5")

    assert done.returncode == 0
    assert outcomes(done.stdout) == ["timed_out"] * COUNT
    assert "status 410" in done.stdout
    assert "an answer was not taken" in done.stdout
    assert sum(cloud.depth(queue)) == COUNT


def test_what_is_behind_a_failure_of_its_group_is_not_run_where_the_batch_is_cut(
    cloud: Cloud,
) -> None:
    queue = cloud.queue("cut.fifo", ContentBasedDeduplication="true")
    for number in range(6):
        cloud.send(queue, f"{number}" * 100_000, MessageGroupId="g")

    done = worked_off(cloud, queue, "fails_the_second_event", "--max-event", "250000")

    assert outcomes(done.stdout) == ["completed"] * 2 + ["failed"] + ["released"] * 3
    assert done.stdout.count("event of") == 2
    assert sum(cloud.depth(queue)) == 4


@pytest.mark.parametrize(
    ("how", "printed", "phrase"),
    [
        ("answers_twice", "statuses 202 400", "an answer was not taken"),
        ("talks_garbage", "", "what came is no request of the Runtime API"),
        ("answers_what_it_was_not_asked", "status 400", "an answer was not taken"),
        ("dies_right_after_its_answer", "", "worker ended, starting another"),
    ],
)
def test_a_runtime_that_answers_and_does_more_completes_its_messages(
    cloud: Cloud, how: str, printed: str, phrase: str
) -> None:
    queue = a_queue(cloud, how)

    done = worked_off(cloud, queue, how)

    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout) == ["completed"] * COUNT
    assert printed in done.stdout
    assert phrase in done.stdout
    assert cloud.depth(queue) == (0, 0)


def test_an_answer_at_the_port_of_another_worker_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    queue = a_queue(cloud, "port", 40)

    done = worked_off(
        cloud,
        queue,
        "answers_at_anothers_port",
        *("--concurrency", "2", "--batch-size", "2", "--", str(tmp_path)),
    )

    assert done.returncode == 0
    assert outcomes(done.stdout) == ["completed"] * 40
    assert {*re.findall(r"status (\d+)", done.stdout)} == {"400"}


def test_batches_are_cut_so_that_an_event_stays_under_its_limit(cloud: Cloud) -> None:
    queue = cloud.queue("weighs")
    for _ in range(10):
        cloud.send(queue, '"' * 100_000)

    done = worked_off(cloud, queue, "weighs", "--max-event", "450000")

    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout) == ["completed"] * 10
    sizes = [int(size) for size in re.findall(r"event of (\d+) bytes", done.stdout)]
    assert len(sizes) >= 5
    assert all(200_000 < size <= 450_000 for size in sizes)


def test_a_message_that_is_too_large_alone_fails_and_the_others_are_done(cloud: Cloud) -> None:
    queue = a_queue(cloud, "large")
    cloud.send(queue, "x" * 20_000)

    done = worked_off(cloud, queue, "weighs", "--max-event", "10000")

    assert sorted(outcomes(done.stdout)) == ["completed"] * COUNT + ["failed"]
    assert re.search(r'ending="its event would have [\d,]+ bytes, and --max-event', done.stdout)
    assert sum(cloud.depth(queue)) == 1
