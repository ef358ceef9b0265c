"""Programs that a test starts: what they print, what they write, and how they refuse."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cloud import Cloud

HANG_S = 120  # a process that has not said it by then never will
SERVED = ("--poll-wait", "1", "--metrics-host", "127.0.0.1", "--metrics-port", "0")


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """The output of the process, up to a line that matches `pattern`."""
    assert process.stdout is not None
    said = ""
    end = threading.Timer(HANG_S, process.kill)
    end.start()
    try:
        for line in process.stdout:
            said += line
            if re.search(pattern, line):
                return said
    finally:
        end.cancel()
    raise AssertionError(f"never said {pattern!r}, but: {said}")


def wait_for(path: Path, lines: int = 1) -> list[str]:
    """The lines of a file, once it has at least `lines` of them."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        if path.exists() and len(found := path.read_text().split("\n")[:-1]) >= lines:
            return found
        time.sleep(0.01)  # a file announces nothing
    raise AssertionError(f"{path} never had {lines} lines")


def is_gone(pid: int) -> bool:
    """Whether a process ends within ten seconds."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)  # the kernel announces no such end to a stranger
    return False


def listen(queue: str, *words: str) -> tuple[str, ...]:
    """The words that start a watcher on `queue` with a poll of one second."""
    return ("listen", "--queue-url", queue, "--poll-wait", "1", *words)


def own_namespace() -> list[str]:
    """The words that run a command as process 1."""
    unshare = shutil.which("unshare")
    words = [unshare or "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if not unshare or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("this user may not make a process namespace")
    return words


def first_child(process: int) -> int:
    """The first child of a process, or 0."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(children[0]) if children else 0


@contextmanager
def served(cloud: Cloud, queue: str, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running watcher, and where it serves its metrics."""
    with cloud.started("listen", "--queue-url", queue, *SERVED, *words) as watcher:
        said = read_until(watcher, "url=")
        (url,) = re.findall(r"url=(\S+)", said)
        yield watcher, f"{url}/metrics"


TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
NOTHING_LISTENS = "http://127.0.0.1:9"


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """One line of watchbot says all of `said`, and the exit code is `code`."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("watchbot: ")
    for word in said:
        assert word in lines[0]
    assert done.returncode == code


def stop(watcher: subprocess.Popen[str]) -> str:
    """The watcher's output from SIGTERM to its end."""
    watcher.terminate()
    return watcher.communicate(timeout=60)[0]
