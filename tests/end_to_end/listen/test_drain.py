"""A watcher that was told to end: what it waits for, what it gives back, what it says."""

import threading
import time
from pathlib import Path

from tests.support.cloud import Cloud
from tests.support.gate import (
    HIDE,
    RECEIVE,
    Gate,
    Hold,
    entries,
    through,
)
from tests.support.programs import is_gone, listen, read_until, stop, wait_for


def test_last_notice_is_sent_before_the_end(cloud: Cloud, gate: Gate) -> None:
    queue, notices = cloud.queue("last"), cloud.queue("last-notices")
    topic = cloud.topic("last-topic", notices)
    cloud.send(queue, "x")
    published = threading.Event()
    gate.rule = lambda operation, *_: None if operation else Hold(published)  # SNS names none

    with cloud.started(
        *listen(queue, "--notification-topic", topic, "exit 3"), env=through(gate)
    ) as watcher:
        read_until(watcher, "rejected")
        watcher.terminate()
        read_until(watcher, "stopped")
        published.set()
        watcher.communicate(timeout=60)

    assert watcher.returncode == 0
    (notice,) = cloud.notices(notices)
    assert "rejected" in notice["Subject"]


def test_running_work_is_released_only_when_the_last_poll_is_back(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("last-poll")
    cloud.send(queue, "x")
    command = f"echo ran >> {tmp_path}/runs; sleep 60"
    words = listen(queue, "--concurrency", "2", "--drain-timeout", "0", "--poll-wait", "3", command)

    with cloud.started(*words, env=through(gate)) as watcher:
        wait_for(tmp_path / "runs")
        time.sleep(0.5)  # the next poll is under way: it would take what is released now
        said = stop(watcher)

    assert watcher.returncode == 0, said
    # A cancelled poll may still be served by a real SQS: it must have ended first.
    hides = [
        request for request in gate.seen(HIDE) if entries(request)[0]["VisibilityTimeout"] == 0
    ]
    polls = gate.seen(RECEIVE)
    assert hides
    assert all(poll.ended <= hides[0].began for poll in polls)
    assert cloud.depth(queue) == (1, 0)


def test_last_grace_is_short_for_whom_it_began_before_the_drain_was_over(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("last-grace")
    cloud.send(queue, "x")
    options = ("--max-job-duration", "1", "--kill-grace", "600", "--drain-timeout", "1")
    trap = f"trap 'echo told >> {tmp_path}/told' TERM"
    command = f"{trap}; echo $$ >> {tmp_path}/up; while :; do sleep 0.1; done"

    with cloud.started(*listen(queue, *options, command)) as watcher:
        (pid,) = wait_for(tmp_path / "up")
        wait_for(tmp_path / "told")
        said = stop(watcher)

    assert watcher.returncode == 0, said
    assert is_gone(int(pid))


def test_release_that_nobody_answers_holds_up_no_end(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("release-hangs")
    cloud.send(queue, "x")
    never = threading.Event()
    gate.rule = lambda operation, *_: Hold(never) if operation == HIDE else None
    command = f"echo up >> {tmp_path}/up; sleep 60"

    with cloud.started(
        *listen(queue, "--drain-timeout", "0", command), env=through(gate)
    ) as watcher:
        wait_for(tmp_path / "up")
        said = stop(watcher)
        never.set()

    assert watcher.returncode == 0, said


def test_leaving_waits_for_what_went_back_and_says_what_is_left(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("waits")
    cloud.send(queue, "x")
    options = ("--exit-when-empty", "--exit-wait", "60")

    with cloud.started(
        *listen(queue, *options, f"mkdir {tmp_path}/once && exit 4; true")
    ) as watcher:
        said = watcher.communicate(timeout=60)[0]

    assert watcher.returncode == 0
    assert "waiting for messages that went back messages=1" in said
    assert " returned ending" in said
    assert said.count(" received ") == 2


def test_leaving_says_how_many_messages_others_have(cloud: Cloud) -> None:
    queue = cloud.queue("others")
    cloud.send(queue, "x")
    cloud.sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)
    cloud.sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=600)

    done = cloud.listen(queue, "true")

    assert done.returncode == 0
    assert "in_flight=1 delayed=1" in done.stdout.splitlines()[-1]
