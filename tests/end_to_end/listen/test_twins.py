"""A message that comes twice runs once, and the messages of a group keep their order."""

import re
import signal
import time
from pathlib import Path

import requests

from tests.support.cloud import Cloud
from tests.support.gate import (
    HIDE,
    Gate,
    through,
)
from tests.support.programs import listen, read_until, stop, wait_for


def test_message_done_before_is_deleted_without_a_run(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("done-before")
    cloud.send(queue, "x")
    command = f"echo ran | tee -a {tmp_path}/runs; sleep 2"

    with cloud.started(*listen(queue, "--visibility-timeout", "1", command)) as watcher:
        read_until(watcher, r"\] ran$")  # stopped sooner, it ends a worker that began too late
        watcher.send_signal(signal.SIGSTOP)
        time.sleep(3)  # the lease runs out, and the worker exits 0
        watcher.send_signal(signal.SIGCONT)
        said = read_until(watcher, "was done before") + stop(watcher)

    # Which of the two it hears of first, the lease's end or the worker's, is up to the loop.
    assert re.search(
        r'released ending="lease lost; exit code 0"|completed ending="exit code 0"', said
    )
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_fifo_message_that_comes_again_waits_for_its_own_run(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("again.fifo")
    cloud.send(queue, "x", MessageGroupId="g", MessageDeduplicationId="1")
    command = f"echo began | tee -a {tmp_path}/runs; sleep 5; echo ended >> {tmp_path}/runs"
    words = listen(queue, "--visibility-timeout", "1", "--concurrency", "2", command)

    with cloud.started(*words) as watcher:
        said = read_until(watcher, r"\] began$")
        watcher.send_signal(signal.SIGSTOP)
        time.sleep(2)  # the lease runs out, and the worker goes on
        watcher.send_signal(signal.SIGCONT)
        said += read_until(watcher, "was done before") + stop(watcher)

    assert said.count(" received receives=") == 1
    assert wait_for(tmp_path / "runs", 2) == ["began", "ended"]
    assert cloud.depth(queue) == (0, 0)


def test_fair_queue_s_groups_run_side_by_side(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("fair")
    for _ in range(2):
        cloud.send(queue, "x", MessageGroupId="tenant")
    up = tmp_path / "up"
    both = f'echo "$MessageGroupId" >> {up}; until [ $(wc -l < {up}) = 2 ]; do :; done'

    done = cloud.listen(queue, "--concurrency", "2", "--max-job-duration", "20", both)

    assert done.stdout.count("completed") == 2
    assert wait_for(up, 2) == ["tenant", "tenant"]


def test_message_handed_out_twice_at_once_runs_once(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("twice")
    cloud.send(queue, "x")
    command = (
        f"echo began | tee -a {tmp_path}/runs; while ! [ -e {tmp_path}/go ]; do sleep 0.1; done"
    )
    options = ("--visibility-timeout", "1", "--concurrency", "2")
    port = ("--metrics-host", "127.0.0.1", "--metrics-port", "0")

    with cloud.started(*listen(queue, *options, *port, command)) as watcher:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, r"\] began$"))
        watcher.send_signal(signal.SIGSTOP)
        time.sleep(2)  # the lease runs out, and the worker goes on
        watcher.send_signal(signal.SIGCONT)
        both = 'watchbot_messages_in_hand{queue="twice"} 2.0'
        while both not in requests.get(f"{url}/metrics", timeout=10).text:
            assert watcher.poll() is None
        (tmp_path / "go").touch()
        read_until(watcher, "was done before")
        runs = wait_for(tmp_path / "runs")
        stop(watcher)

    assert runs == ["began"]


def test_message_handed_out_twice_that_fails_waits_one_backoff(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("twice-failed")
    cloud.send(queue, "x")
    command = (
        f"echo began | tee -a {tmp_path}/runs; while ! [ -e {tmp_path}/go ]; do sleep 0.1; done;"
        " exit 4"
    )
    options = ("--visibility-timeout", "3", "--concurrency", "2")
    port = ("--metrics-host", "127.0.0.1", "--metrics-port", "0")

    with cloud.started(*listen(queue, *options, *port, command), env=through(gate)) as watcher:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, r"\] began$"))
        watcher.send_signal(signal.SIGSTOP)
        time.sleep(4)  # the lease runs out, and the worker goes on
        watcher.send_signal(signal.SIGCONT)
        both = 'watchbot_messages_in_hand{queue="twice-failed"} 2.0'
        while both not in requests.get(f"{url}/metrics", timeout=10).text:
            assert watcher.poll() is None
        (tmp_path / "go").touch()
        said = read_until(watcher, "it was in hand twice, and went back")
        stop(watcher)

    assert "] began" not in said  # nobody ran the second as the first had failed
    hidden = [entry for request in gate.seen(HIDE) for entry in request.body["Entries"]]
    pauses = {entry["VisibilityTimeout"] for entry in hidden}
    # The backoff of the run, and not that of the second receive (4). Renewals are for 3; what the
    # last poll brings is given back with 0.
    assert pauses - {0, 3} == {2}
