"""However it was started, it does its work: signals ignored or blocked, descriptors closed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.programs import (
    first_child,
    is_gone,
    listen,
    own_namespace,
    read_until,
    served,
    wait_for,
)

IGNORED = "[signal.signal(n, signal.SIG_IGN) for n in {}]"
BLOCKED = "signal.pthread_sigmask(signal.SIG_BLOCK, {})"
CLOSED = "[os.close(n) for n in {}]"
OF_THE_C_LIBRARY = 0b111 << 31  # signals 32 to 34 are out of any program's reach
ANY = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE)


def started_after(what: str, *words: str) -> list[str]:
    """The words that do `what`, in Python, and then become the command."""
    script = f"import os, signal, sys; {what}; os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", script, *words]


def watchbot_after(what: str, *words: str) -> list[str]:
    return started_after(what, str(BIN / "watchbot"), *words)


def numbers(*found: int) -> str:
    return str([int(number) for number in found])


@contextmanager
def running(cloud: Cloud, *words: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        words, env={**cloud.environment, **env}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", [IGNORED, BLOCKED], ids=["ignored", "blocked"])
def test_message_is_settled_and_its_worker_has_no_signal_ignored_or_blocked(
    cloud: Cloud, how: str
) -> None:
    queue = cloud.queue(f"signals-{'ignored' if how is IGNORED else 'blocked'}")
    cloud.send(queue, "x")
    words = listen(queue, "--exit-when-empty", "grep -E 'Sig(Ign|Blk)' /proc/self/status")

    with running(cloud, *watchbot_after(how.format(numbers(*ANY, signal.SIGHUP)), *words)) as run:
        said = run.communicate(timeout=60)[0]

    assert run.returncode == 0, said
    assert "completed" in said
    masks = [int(mask, 16) & ~OF_THE_C_LIBRARY for mask in re.findall(r"Sig\w+:\s*(\w+)", said)]
    assert masks == [0, 0]
    assert cloud.depth(queue) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", ["pass", BLOCKED], ids=["plain", "blocked"])
def test_signal_drains(cloud: Cloud, tmp_path: Path, number: signal.Signals, how: str) -> None:
    queue = cloud.queue(f"drains-{number}-{how == BLOCKED}")
    cloud.send(queue, "x")
    up = tmp_path / "up"
    command = f"echo up >> {up}; until [ -e {tmp_path}/go ]; do sleep 0.05; done"

    words = watchbot_after(how.format(numbers(number)), *listen(queue, command))
    with running(cloud, *words) as run:
        wait_for(up)
        run.send_signal(number)
        said = read_until(run, "draining")
        (tmp_path / "go").touch()
        said += run.communicate(timeout=60)[0]

    assert run.returncode == 0, said
    assert "completed" in said
    assert cloud.depth(queue) == (0, 0)


def test_terminal_that_hangs_up_twice_still_leaves_the_worker_its_time(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("hangs-up")
    cloud.send(queue, "x")
    up = tmp_path / "up"
    command = f"echo up >> {up}; until [ -e {tmp_path}/go ]; do sleep 0.05; done"

    with running(cloud, str(BIN / "watchbot"), *listen(queue, command)) as run:
        wait_for(up)
        run.send_signal(signal.SIGHUP)
        read_until(run, "draining")
        run.send_signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        said = run.communicate(timeout=60)[0]

    assert "completed" in said
    assert run.returncode == 0


def test_nohup_keeps_the_watcher_up(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("nohup")
    ran = tmp_path / "ran"

    words = listen(queue, f"echo ran >> {ran}")
    with running(cloud, *watchbot_after(IGNORED.format(numbers(signal.SIGHUP)), *words)) as run:
        read_until(run, "started")
        run.send_signal(signal.SIGHUP)
        cloud.send(queue, "x")
        wait_for(ran)
        run.terminate()
        said = run.communicate(timeout=60)[0]

    assert "completed" in said
    assert run.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP])
def test_process_1_drains(cloud: Cloud, number: signal.Signals) -> None:
    queue = cloud.queue(f"first-{number}")
    words = [*own_namespace(), str(BIN / "watchbot"), *listen(queue, "true")]

    with running(cloud, *words) as run:
        read_until(run, "started")
        child = first_child(run.pid)
        os.kill(child, number)
        said = run.communicate(timeout=60)[0]

    assert run.returncode == 0, said
    assert is_gone(child)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_descriptors(cloud: Cloud, tmp_path: Path, closed: tuple[int, ...]) -> None:
    queue = cloud.queue("closed-" + "".join(map(str, closed)))
    cloud.send(queue, "x")
    got = tmp_path / "got"
    words = listen(queue, "--exit-when-empty", f"cat > {got}; echo out; echo err >&2")

    with running(cloud, *watchbot_after(CLOSED.format(numbers(*closed)), *words)) as run:
        said = run.communicate(timeout=60)[0]

    assert run.returncode == 0, said
    assert got.read_text() == "x"
    assert cloud.depth(queue) == (0, 0)
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("record", "--exit-when-empty"),
        ("local", "--send", "x", "--exit-when-empty", "true"),
        ("send", "hello"),
        ("log", "hello"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_works_with_all_closed(
    cloud: Cloud, tmp_path: Path, words: tuple[str, ...]
) -> None:
    url = cloud.queue(f"closed-{words[0]}")
    settings = {"QueueUrl": url, "WATCHBOT_DATABASE": f"sqlite:///{tmp_path}/db", "MessageId": "m"}

    done = subprocess.run(
        watchbot_after(CLOSED.format(numbers(0, 1, 2)), *words),
        env={**cloud.environment, **settings}, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("service", ["schedule", "record"])
def test_other_services_stop_as_well(
    cloud: Cloud, tmp_path: Path, service: str, number: signal.Signals
) -> None:
    queue = cloud.queue(f"{service}-{number}")
    database = f"sqlite:///{tmp_path}/db"
    settings = {"QueueUrl": queue, "WATCHBOT_DATABASE": database, "WATCHBOT_PORT": "0"}
    what = f"{BLOCKED.format(numbers(number))}; {CLOSED.format(numbers(0))}"

    with running(cloud, *watchbot_after(what, service), **settings) as run:
        read_until(run, "started")
        run.send_signal(number)
        said = run.communicate(timeout=60)[0]

    assert run.returncode == 0, said


def test_healthcheck_with_all_closed_asks_the_watcher(cloud: Cloud) -> None:
    with served(cloud, cloud.queue("asked"), "true") as (_, url):
        (port,) = re.findall(r":(\d+)/", url)
        words = watchbot_after(CLOSED.format(numbers(0, 1, 2)), "healthcheck", "--port", port)
        done = subprocess.run(words, env=cloud.environment, timeout=60, check=False)

    assert done.returncode == 0


# Becomes a process to which pidfd_open does not exist, as in some sandboxes: a filter of system
# calls, which exec and fork inherit. Four instructions: load the call's number; is it 434 (on every
# machine); if so, fail with ENOSYS; else allow.
NO_PIDFD = """
import ctypes, struct
code = ((0x20, 0, 0, 0), (0x15, 0, 1, 434), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000))
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
"""


def test_worker_is_waited_for_where_the_kernel_gives_no_pidfd(cloud: Cloud) -> None:
    queue = cloud.queue("no-pidfd")
    cloud.send(queue, "x")
    check = "import os; os.pidfd_open(os.getpid())"
    command = f"{sys.executable} -c '{check}' 2>&1 | grep -o 'Function not implemented'; exit 3"
    words = listen(queue, "--exit-when-empty", command)
    script = f"exec({NO_PIDFD!r})"

    with running(cloud, *watchbot_after(script, *words)) as run:
        said = run.communicate(timeout=60)[0]

    assert run.returncode == 0, said
    assert "Function not implemented" in said
    assert "exit code 3" in said
    assert cloud.depth(queue) == (0, 0)
