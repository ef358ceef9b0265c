"""Workers of `--warm lines` that misbehave: the watcher says so, stands it, and loses nothing."""

from pathlib import Path

import pytest

from tests.support.cloud import Cloud

DEAFENED = ("sh", "-c", 'exec "$@" > /dev/null', "sh")  # starts what nobody is to read

PRINTS = """
import os, re, sys, watchbot

def peak_kib():
    status = open(f"/proc/{os.getppid()}/status").read()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])

def work(message):
    before = peak_kib()
    line = b"x" * 9_999 + b"\\n"
    for _ in range(int(message.body) // len(line)):
        os.write(1, line)
    with open(sys.argv[1], "a") as file:
        print(peak_kib() - before, file=file)

watchbot.work(work)
"""


@pytest.mark.parametrize(
    ("command", "words", "structured"),
    [
        ("echo no licence >&2; exit 7", "exit code 7; it said: no licence", False),
        ("kill -9 $$", "signal SIGKILL", True),
    ],
)
def test_worker_that_cannot_stay_ends_the_watcher_before_the_first_message(
    cloud: Cloud, command: str, words: str, structured: bool
) -> None:
    queue = cloud.queue(f"cannot-stay-{structured}")
    cloud.send_many(queue, ["a", "b"])
    options = ["--structured-logging"] if structured else []

    done = cloud.listen(queue, "--warm", "lines", *options, command)

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"the worker that was started first cannot stay: {words}" in line
    assert line.startswith("{") == structured
    assert "received" not in done.stdout
    assert cloud.depth(queue) == (2, 0)


def test_worker_that_prints_a_gigabyte_in_one_run_takes_no_memory(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("prints")
    (tmp_path / "prints.py").write_text(PRINTS)
    words = ("python3", str(tmp_path / "prints.py"), str(tmp_path / "grown"))
    options = ("--warm", "lines", "--poll-wait", "1", "--exit-when-empty")
    cloud.send_many(queue, ["1000000", "1000000000"])

    with cloud.started(
        "listen", "--queue-url", queue, *options, *words, within=DEAFENED
    ) as watcher:
        watcher.communicate(timeout=120)

    grown_kib = [int(line) for line in (tmp_path / "grown").read_text().split()]
    assert len(grown_kib) == 2
    assert grown_kib[1] < 8 * 1024
    assert watcher.returncode == 0
    assert cloud.depth(queue) == (0, 0)
