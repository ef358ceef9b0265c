"""A disk that is full under standard output: one line, the documented exit code, no traceback."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support.cloud import BIN, Cloud

FULL = Path("/dev/full")  # each write fails with "No space left on device"
REASON = "cannot write to standard output: No space left on device"

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this machine")


@pytest.fixture
def full() -> Iterator[IO[bytes]]:
    with FULL.open("wb") as file:
        yield file


def run(
    cloud: Cloud, full: IO[bytes], *words: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """A command of ours, with its standard output on a full disk."""
    program = BIN / words[0]
    return subprocess.run(
        [program, *words[1:]], env=cloud.environment, input=stdin, stdout=full,
        stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["listen", "--help"],
        ["template", "--service", "x", "--image", "y:1", "--command", "true"],
        ["doctor", "--queue-url", "{queue}"],
        ["dead-letter", "--queue-url", "{queue}", "summary"],
        ["dead-letter", "--queue-url", "{queue}", "--json", "list"],
    ],
    ids=" ".join,
)
def test_command_ends_with_one_line(cloud: Cloud, full: IO[bytes], words: list[str]) -> None:
    queue, dead = cloud.queue_with_dead_letters("full-disk")
    cloud.send(dead, "a letter")
    done = run(cloud, full, "watchbot", *(word.format(queue=queue) for word in words))

    assert (done.returncode, done.stderr) == (1, f"watchbot: {REASON}\n")


def test_worker_log_ends_with_one_line(cloud: Cloud, full: IO[bytes]) -> None:
    done = run(cloud, full, "watchbot-log", "hello")

    assert (done.returncode, done.stderr) == (1, f"watchbot-log: {REASON}\n")


def test_send_sends_all_and_says_how_many(cloud: Cloud, full: IO[bytes]) -> None:
    queue = cloud.queue("full-disk-send")
    words = ("send", "--queue-url", queue, "--file", "-")
    done = run(cloud, full, "watchbot", *words, stdin="".join(f"{n}\n" for n in range(25)))

    assert done.returncode == 1
    assert done.stderr == f"watchbot: 25 messages were sent; their ids: {REASON}\n"
    assert cloud.depth(queue) == (25, 0)


@pytest.mark.parametrize("structured", [False, True])
def test_watcher_goes_on_on_standard_error(cloud: Cloud, full: IO[bytes], structured: bool) -> None:
    queue = cloud.queue(f"full-disk-{structured}")
    cloud.send(queue, "x")
    words = ["listen", "--queue-url", queue, "--exit-when-empty", "--poll-wait", "1", "echo heard"]
    if structured:
        words.insert(1, "--structured-logging")
    done = run(cloud, full, "watchbot", *words)

    assert done.returncode == 0
    assert done.stderr.count("standard output cannot be written") == 1
    assert "heard" in done.stderr
    assert cloud.depth(queue) == (0, 0)
    if structured:
        assert all(json.loads(line) for line in done.stderr.splitlines())


def test_worker_log_ends_when_its_reader_has_left() -> None:
    script = f"yes | {BIN / 'watchbot-log'} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"{script}; echo ${{PIPESTATUS[1]}}"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    line, code = done.stdout.splitlines()
    assert line.endswith("[worker] y")
    assert (code, done.stderr) == ("141", "")
