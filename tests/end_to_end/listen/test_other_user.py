"""Workers that became another user, whom the watcher may not signal."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.other_user import as_nobody, setuid_sleep
from tests.support.programs import read_until


@pytest.fixture
def sleep() -> Iterator[str]:
    with setuid_sleep() as words:
        yield words


def watching(cloud: Cloud, queue: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*as_nobody(), str(BIN / "watchbot"), "listen", "--queue-url", queue, *words],
        env=cloud.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_message_stays_ours_while_its_worker_lives(cloud: Cloud, sleep: str) -> None:
    queue = cloud.queue("outlives")
    sent = cloud.send(queue, "x")
    limits = ("--max-job-duration", "1", "--kill-grace", "1", "--visibility-timeout", "3")

    with watching(cloud, queue, "--concurrency", "2", *limits, f"exec {sleep} 8") as watcher:
        said = read_until(watcher, "timed_out")
        waiting = cloud.depth(queue)
        watcher.send_signal(signal.SIGTERM)
        said += watcher.communicate(timeout=60)[0]

    told = re.findall(rf"\[{sent}\] worker cannot be ended pid=(\d+) reason=(.*)", said)
    assert [reason for _, reason in told] == ['"it runs as another user"']
    assert not Path(f"/proc/{told[0][0]}").exists()
    assert said.count("received") == 1  # its visibility timeout was over twice by then
    assert "lease lost" not in said
    assert waiting == (0, 1)  # in its backoff


def test_message_is_left_to_its_visibility_timeout_when_the_drain_is_over(
    cloud: Cloud, sleep: str
) -> None:
    queue = cloud.queue("left")
    sent = cloud.send(queue, "x")

    with watching(cloud, queue, "--drain-timeout", "0", f"exec {sleep} 300") as watcher:
        read_until(watcher, "received")
        time.sleep(1)  # it has become root by then
        watcher.send_signal(signal.SIGTERM)
        said = watcher.communicate(timeout=60)[0]
    hidden = cloud.depth(queue)
    (pid,) = re.findall(rf"\[{sent}\] worker cannot be ended pid=(\d+)", said)
    os.kill(int(pid), signal.SIGKILL)

    last = f"pid {pid} still runs: it runs as another user: left to its visibility timeout"
    assert re.search(rf'\[{sent}\] released ending="{last}"', said)
    assert watcher.returncode == 0
    assert hidden == (0, 1)
