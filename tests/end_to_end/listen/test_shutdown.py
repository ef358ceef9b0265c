"""Watchers and workers come and go: nothing is lost, nothing is left over."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.programs import is_gone, listen, read_until, wait_for


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_worker_finishes_and_is_settled_by_its_exit_code(
    cloud: Cloud, tmp_path: Path, number: signal.Signals
) -> None:
    queue = cloud.queue(f"finishes-{number}")
    cloud.send_many(queue, ["0", "3"])
    command = f"echo up >> {tmp_path}/up; sleep 1; exit $Message"

    with cloud.started(*listen(queue, "--concurrency", "2", command)) as watcher:
        wait_for(tmp_path / "up", 2)
        watcher.send_signal(number)
        said = watcher.communicate(timeout=30)[0]

    assert watcher.returncode == 0, said
    assert cloud.depth(queue) == (0, 0)
    assert re.findall(r"(completed|rejected) ending", said)


def test_worker_that_outlasts_the_drain_is_released(cloud: Cloud, tmp_path: Path) -> None:
    queue, notices = cloud.queue("outlasts"), cloud.queue("outlasts-notices")
    topic = cloud.topic("outlasts-topic", notices)
    cloud.send(queue, "x")
    command = f"echo $$ >> {tmp_path}/up; sleep 60"

    with cloud.started(
        *listen(queue, "--drain-timeout", "1", "--notification-topic", topic, command)
    ) as watcher:
        (pid,) = wait_for(tmp_path / "up")
        watcher.terminate()
        said = watcher.communicate(timeout=30)[0]

    assert watcher.returncode == 0, said
    assert cloud.depth(queue) == (1, 0)
    assert "released" in said
    assert cloud.notices(notices) == []
    assert is_gone(int(pid))


def test_exit_0_after_sigterm_does_not_delete_the_message(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("polite")
    cloud.send(queue, "x")
    command = f"trap 'exit 0' TERM; echo up >> {tmp_path}/up; sleep 60 & wait"

    with cloud.started(*listen(queue, "--drain-timeout", "0", command)) as watcher:
        wait_for(tmp_path / "up")
        watcher.terminate()
        watcher.communicate(timeout=30)

    assert cloud.depth(queue) == (1, 0)


def test_second_signal_ends_workers_at_once(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("twice")
    cloud.send(queue, "x")
    command = f"trap '' TERM; echo $$ >> {tmp_path}/up; while :; do sleep 1; done"

    with cloud.started(
        *listen(queue, "--drain-timeout", "600", "--kill-grace", "600", command)
    ) as watcher:
        (pid,) = wait_for(tmp_path / "up")
        watcher.terminate()
        read_until(watcher, "draining")
        watcher.terminate()
        watcher.communicate(timeout=30)

    assert watcher.returncode == 0
    assert cloud.depth(queue) == (1, 0)
    assert is_gone(int(pid))


def test_idle_watcher_takes_no_message_along(cloud: Cloud) -> None:
    queue = cloud.queue("idle")

    with cloud.started(*listen(queue, "--concurrency", "4", "echo never")) as watcher:
        read_until(watcher, "started")
        time.sleep(0.3)  # a poll is under way by then, most likely
        watcher.terminate()
        read_until(watcher, "draining")
        cloud.send(queue, "late")
        said = watcher.communicate(timeout=30)[0]

    assert watcher.returncode == 0
    assert "never" not in said
    assert cloud.depth(queue) == (1, 0)


def test_killed_watcher_loses_nothing(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("killed")
    cloud.send(queue, "x")
    command = f"echo $$ >> {tmp_path}/up; sleep 60"

    with cloud.started(*listen(queue, "--visibility-timeout", "1", command)) as watcher:
        (pid,) = wait_for(tmp_path / "up")
        watcher.kill()
        watcher.wait()
    os.killpg(int(pid), signal.SIGKILL)  # nobody else can, now

    done = cloud.listen(queue, "true")
    assert "completed" in done.stdout
    assert cloud.depth(queue) == (0, 0)


def test_files_of_a_killed_watcher_go_once_its_workers_have(cloud: Cloud, tmp_path: Path) -> None:
    queue, env = cloud.queue("leaves-files", VisibilityTimeout="60"), {"TMPDIR": str(tmp_path)}
    cloud.send(queue, "x")
    command = f"echo $WATCHBOT_SCRATCH/part $$ >> {tmp_path}/up; exec sleep 60 > $TMPDIR/part"

    with cloud.started(*listen(queue, command), env=env) as watcher:
        part, worker = wait_for(tmp_path / "up")[0].split()
        wait_for(Path(part), 0)
        watcher.kill()
    while_it_runs = cloud.listen(queue, "true", env=env)
    is_kept = Path(part).exists()
    os.killpg(int(worker), signal.SIGKILL)
    assert is_gone(int(worker))
    afterwards = cloud.listen(queue, "true", env=env)

    assert is_kept, while_it_runs.stdout
    assert "deleted what a killed watcher left" in afterwards.stdout
    assert os.listdir(tmp_path) == ["up"]


def test_daemon_of_a_worker_ends_with_it(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("daemon")
    cloud.send_many(queue, ["a", "b"])
    command = f"setsid sh -c 'echo $$ >> {tmp_path}/daemons; sleep 300' & sleep 0.3"

    with cloud.started(*listen(queue, command)) as watcher:
        said = read_until(watcher, "completed") + read_until(watcher, "completed")
        daemons = wait_for(tmp_path / "daemons", 2)

        assert all(is_gone(int(pid)) for pid in daemons), said
        assert watcher.poll() is None


@pytest.mark.parametrize(("choice", "ended"), [("continue", False), ("kill", True)])
def test_lost_lease_is_not_settled(cloud: Cloud, tmp_path: Path, choice: str, ended: bool) -> None:
    queue = cloud.queue(f"lost-{choice}")
    cloud.send(queue, "x")
    command = f"echo up; sleep 5; echo done >> {tmp_path}/done"

    with cloud.started(
        *listen(queue, "--visibility-timeout", "3", "--on-lost-lease", choice, command)
    ) as watcher:
        read_until(watcher, r"\] up$")  # stopped sooner, it would end a worker that began too late
        watcher.send_signal(signal.SIGSTOP)
        (taken,) = cloud.sqs.receive_message(
            QueueUrl=queue, WaitTimeSeconds=5, VisibilityTimeout=60
        )["Messages"]
        watcher.send_signal(signal.SIGCONT)
        said = read_until(watcher, r"released ending=")

    assert "lease lost" in said
    assert (tmp_path / "done").exists() is not ended
    assert cloud.depth(queue) == (0, 1)  # it is with the one who took it
    assert taken["Body"] == "x"


def test_breaker_stops_a_watcher_whose_every_message_fails_alike(cloud: Cloud) -> None:
    queue, notices = cloud.queue("broken"), cloud.queue("broken-notices")
    topic = cloud.topic("broken-topic", notices)
    cloud.send_many(queue, [str(number) for number in range(20)])

    with cloud.started(
        *listen(queue, "--notification-topic", topic, "--breaker", "3", "echo oops; exit 1")
    ) as watcher:
        read_until(watcher, "breaker open")
        time.sleep(0.5)  # more would have been received by then
        visible, hidden = cloud.depth(queue)
        watcher.terminate()
        watcher.communicate(timeout=30)

    assert visible >= 17 - 3  # those that failed may be visible again by now
    assert hidden <= 3
    said = cloud.notices(notices)
    assert len(said) == 3
    assert sum("stops receiving" in notice["Message"] for notice in said) == 1


def test_queue_that_is_deleted_ends_the_watcher_after_its_work(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("deleted")
    cloud.send(queue, "x")
    command = f"echo up >> {tmp_path}/up; sleep 5; echo done >> {tmp_path}/done"

    with cloud.started(
        *listen(queue, "--concurrency", "2", "--give-up-after", "0.1", command)
    ) as watcher:
        wait_for(tmp_path / "up")
        cloud.sqs.delete_queue(QueueUrl=queue)
        said = watcher.communicate(timeout=60)[0]

    assert watcher.returncode == 1, said
    assert wait_for(tmp_path / "done") == ["done"]
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("watchbot: SQS receive_message failed")
