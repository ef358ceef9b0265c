"""A machine that is full, or that gives a watcher more to do than others: no message is lost."""

import os
import re
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.gate import (
    RECEIVE,
    Gate,
    through,
)
from tests.support.programs import (
    first_child,
    is_gone,
    listen,
    own_namespace,
    read_until,
    stop,
    wait_for,
)


def limit_files(process: subprocess.Popen[str], soft: int) -> None:
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_message_in_hand_waits_for_a_machine_that_can_start_no_worker(
    cloud: Cloud, gate: Gate
) -> None:
    queue = cloud.queue("no-files")
    echo = 'echo "ran at $ApproximateReceiveCount"'

    cloud.send(queue, "x")
    limited = threading.Event()

    def limit_in_the_first_poll(operation: str, *_: object) -> None:
        if operation == RECEIVE and not limited.is_set():
            limit_files(watcher, 5)
            limited.set()

    gate.rule = limit_in_the_first_poll
    with cloud.started(*listen(queue, echo), env=through(gate)) as watcher:
        said = read_until(watcher, r"pause_s=4")
        limit_files(watcher, 500)
        said += read_until(watcher, "completed") + stop(watcher)

    assert re.findall(r"cannot start a worker, pausing reason=.* pause_s=(\d+)", said) == ["2", "4"]
    assert said.count("Too many open files") >= 2
    assert "released" not in said
    assert "] ran at 1\n" in said
    assert watcher.returncode == 0
    assert cloud.depth(queue) == (0, 0)


def test_nothing_is_received_while_the_machine_has_no_room_for_a_worker(
    cloud: Cloud, gate: Gate
) -> None:
    queue = cloud.queue("no-room")
    echo = 'echo "ran at $ApproximateReceiveCount"'

    with cloud.started(*listen(queue, echo), env=through(gate)) as watcher:
        read_until(watcher, "started")
        while not gate.seen(RECEIVE):
            time.sleep(0.01)  # the gate announces nothing
        limit_files(watcher, 5)
        said = read_until(watcher, "no room for a worker")
        cloud.send(queue, "x")
        limit_files(watcher, 500)
        said += read_until(watcher, "completed") + stop(watcher)

    assert "no room for a worker, not receiving" in said
    assert "room for a worker again" in said
    assert "cannot start" not in said
    assert "] ran at 1\n" in said


def test_workers_that_cannot_be_cleaned_up_after_cost_no_receive(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("deep")
    cloud.send(queue, "x")
    deep = 'python3 -c \'import os\nfor _ in range(1500): os.mkdir("d"); os.chdir("d")\''
    command = f'echo ran >> {tmp_path}/runs; cd "$WATCHBOT_SCRATCH"; {deep}; exit 4'

    with cloud.started(*listen(queue, command), env={"TMPDIR": str(tmp_path)}) as watcher:
        read_until(watcher, "returned")
        time.sleep(1)  # its backoff is two seconds: nothing may come back before
        runs = wait_for(tmp_path / "runs")
        stop(watcher)
    # Too deep for Python, and for pytest when it clears up.
    subprocess.run(["rm", "-rf", *tmp_path.glob("watchbot-*")], check=True)

    assert runs == ["ran"]
    assert watcher.returncode == 0


FILLER = {f"FILLER{number}": "x" * 100_000 for number in range(2)}
KIB = 1024


@pytest.mark.parametrize(
    ("arguments_kib", "outcome"),
    [(256, "completed"), (128, "failed")],  # Linux takes a quarter of the stack's limit for them
)
def test_variables_too_long_for_the_system_are_the_message_s_affair(
    cloud: Cloud, arguments_kib: int, outcome: str
) -> None:
    queue = cloud.queue(f"too-long-{arguments_kib}")
    command = 'echo "${#Message} $(wc -c < "${MessageFile:-/dev/null}")"'

    with cloud.started(*listen(queue, command), env=FILLER) as watcher:
        read_until(watcher, "started")
        stack = 4 * arguments_kib * KIB
        resource.prlimit(watcher.pid, resource.RLIMIT_STACK, (stack, resource.RLIM_INFINITY))
        cloud.send(queue, "x" * 100_000)
        said = read_until(watcher, outcome)

    if outcome == "completed":
        assert "] 0 100000\n" in said
    else:
        assert "cannot start: Argument list too long" in said
        assert "pausing" not in said


def test_dead_orphans_are_reaped(cloud: Cloud) -> None:
    queue = cloud.queue("orphans")
    cloud.send(queue, "x")

    # Without our variables, and in a session of its own: nothing tells that it is a worker's.
    with cloud.started(*listen(queue, "env -i setsid sleep 1 & echo pid=$!")) as watcher:
        said = read_until(watcher, "completed")
        (pid,) = re.findall(r"pid=(\d+)", said)
        ends = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
            time.sleep(0.05)  # a zombie would stay for ever

    assert not Path(f"/proc/{pid}").exists()


def test_watcher_is_good_as_process_1(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("init")
    cloud.send(queue, "x")
    command = f"echo parent=$PPID; setsid sleep 300 & echo ran >> {tmp_path}/runs; sleep 0.5"

    with subprocess.Popen(
        [*own_namespace(), str(BIN / "watchbot"), *listen(queue, command)],
        env=cloud.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as outside:  # fmt: skip
        said = read_until(outside, "completed")
        child = first_child(outside.pid)
        os.kill(child, signal.SIGTERM)
        said += outside.communicate(timeout=60)[0]

    assert "parent=1\n" in said
    assert "stopped" in said
    assert outside.returncode == 0
    assert is_gone(child)


def test_process_1_hears_sigterm_from_its_first_moments(cloud: Cloud) -> None:
    queue = cloud.queue("first-moments")

    with subprocess.Popen(
        [*own_namespace(), str(BIN / "watchbot"), *listen(queue, "true")],
        env=cloud.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as outside:  # fmt: skip
        # unshare's own child blocks SIGTERM for a moment, too, before it becomes ours.
        while not (child := first_child(outside.pid)) or not (
            is_python(child) and blocks_sigterm(child)
        ):
            assert outside.poll() is None
        os.kill(child, signal.SIGTERM)
        outside.communicate(timeout=60)

    assert outside.returncode == 0


def is_python(process: int) -> bool:
    return Path(f"/proc/{process}/exe").resolve().name.startswith("python")


def blocks_sigterm(process: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text()
    (blocked,) = re.findall(r"SigBlk:\s+([0-9a-f]+)", status)
    return bool(int(blocked, 16) & 1 << signal.SIGTERM - 1)
