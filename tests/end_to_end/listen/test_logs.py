"""Workers' output reaches the log whole, and a slow reader of the log delays no message."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.log_filters import reading
from tests.support.programs import read_until, wait_for

LINES = 20_000  # of a hundred bytes: far more than a pipe and the watcher keep


def listen(queue: str, *words: str) -> tuple[str, ...]:
    return ("listen", "--queue-url", queue, "--poll-wait", "1", *words)


def peak_kib(pid: int) -> int:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def test_reader_that_stands_still_delays_output_but_no_heartbeat(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("stands-still")
    cloud.send(queue, "x")
    command = f"echo ran >> {tmp_path}/runs; seq -f %099.0f {LINES}; touch {tmp_path}/printed"

    with cloud.started(*listen(queue, "--visibility-timeout", "1", command)) as watcher:
        wait_for(tmp_path / "runs")
        others = cloud.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=4).get("Messages")
        waits = not (tmp_path / "printed").exists()
        said = read_until(watcher, "completed")
        watcher.terminate()
        said += watcher.communicate(timeout=30)[0]

    told = re.sub(r".*\[worker\].*\n", "", said)
    assert not others, told  # the lease was kept up for four times its length
    assert waits  # as before any reader that is slower; nothing is dropped, nothing piles up
    assert (tmp_path / "runs").read_text() == "ran\n", told
    assert re.findall(r"\] (\d{99})$", said, re.M) == [f"{n:099}" for n in range(1, LINES + 1)]
    assert cloud.depth(queue) == (0, 0)


def test_reader_that_never_reads_holds_up_no_message(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("never-reads")
    cloud.send_many(queue, [str(number) for number in range(4)])
    # Too much for the watcher's pipe, not for the workers' own; more would have those wait.
    command = f"echo ran >> {tmp_path}/runs; seq -f %099.0f 600"

    with cloud.started(*listen(queue, "--concurrency", "4", command)) as watcher:
        wait_for(tmp_path / "runs", 4)
        ends = time.monotonic() + 30
        while cloud.depth(queue) != (0, 0) and time.monotonic() < ends:
            time.sleep(0.05)  # a queue announces nothing
        watcher.terminate()
        assert cloud.depth(queue) == (0, 0)
        watcher.wait(timeout=30)

    assert watcher.returncode == 0


@pytest.mark.parametrize("stderr_too", [False, True])
def test_closed_standard_output_costs_no_message(
    cloud: Cloud, tmp_path: Path, stderr_too: bool
) -> None:
    queue = cloud.queue(f"closed-{stderr_too}")
    cloud.send_many(queue, ["a", "b"])
    words = (str(BIN / "watchbot"), *listen(queue, "--exit-when-empty", "echo heard"))

    with subprocess.Popen(
        words, env=cloud.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watcher:
        assert watcher.stdout
        assert watcher.stderr
        watcher.stdout.close()
        if stderr_too:
            watcher.stderr.close()
        said = "" if stderr_too else watcher.stderr.read()
        watcher.wait(timeout=60)

    assert watcher.returncode == 0
    assert cloud.depth(queue) == (0, 0)
    assert stderr_too or said.count("] heard\n") == 2


@pytest.mark.parametrize("structured", [False, True])
def test_line_that_never_ends_takes_no_memory(cloud: Cloud, structured: bool) -> None:
    queue = cloud.queue(f"endless-{structured}")
    options = ["--structured-logging"] if structured else []
    command = "echo warm; head -c $Message /dev/zero | tr '\\0' x"
    most = 300_000_000

    with cloud.started(*listen(queue, *options, command)) as watcher:
        cloud.send(queue, "1000000")
        read_until(watcher, "completed")
        before = peak_kib(watcher.pid)
        cloud.send(queue, str(most))
        count, others = 0, ""
        assert watcher.stdout
        for line in watcher.stdout:
            if "xxx" in line:
                count += line.count("x")
            else:
                others += line
            if "completed" in line:
                break
        grown = peak_kib(watcher.pid) - before

    assert count == most, others
    assert grown < 8 * 1024


def test_worker_may_close_its_output_and_print_no_text(cloud: Cloud) -> None:
    queue = cloud.queue("closes")
    cloud.send(queue, "x")

    done = cloud.listen(
        queue, "--structured-logging",
        r"printf 'a\000b\377\n'; printf 'last without newline'; exec >&- 2>&-; sleep 0.5",
    )  # fmt: skip

    said = [json.loads(line) for line in done.stdout.splitlines()]
    workers = [line["msg"] for line in said if "watchbot_sqs_message_id" in line][1:-1]
    assert workers == ["a\0b\\xff", "last without newline"]
    assert said[-2]["msg"] == "completed"


def test_each_stream_is_in_order_and_whole_before_the_end(cloud: Cloud) -> None:
    queue = cloud.queue("order")
    cloud.send(queue, "x")
    command = "for n in $(seq 500); do echo out $n; echo err $n >&2; done"

    done = cloud.listen(queue, command)

    lines = done.stdout.splitlines()
    (end,) = (place for place, line in enumerate(lines) if "completed" in line)
    for stream in ("out", "err"):
        printed = [line for line in lines[:end] if f"] {stream} " in line]
        assert [int(line.split()[-1]) for line in printed] == list(range(1, 501))


def test_prefix_of_watchbot_log_is_not_doubled(cloud: Cloud) -> None:
    queue = cloud.queue("prefix")
    message = cloud.send(queue, "x")

    done = cloud.listen(queue, "echo piped | watchbot-log; watchbot-log said; echo plain")

    said = [line for line in done.stdout.splitlines() if "[worker]" in line]
    assert len(said) == 3
    assert all(line.count(f"[{message}]") == 1 for line in said)


def test_structured_line_of_watchbot_log_is_not_wrapped(cloud: Cloud) -> None:
    queue = cloud.queue("wrapped")
    message = cloud.send(queue, "x")

    command = "watchbot-log --level error one; echo two | watchbot-log"
    done = cloud.listen(queue, "--structured-logging", command)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    said = [line for line in lines if line["msg"] in {"one", "two"}]
    assert [(line["msg"], line["level"]) for line in said] == [("one", 50), ("two", 30)]
    assert all(line["watchbot_sqs_message_id"] == message for line in said)


def test_filters_of_an_ecs_watchbot_stack_read_structured_lines(cloud: Cloud) -> None:
    queue = cloud.queue("old-filters")
    cloud.send(queue, "0")
    cloud.send(queue, "3")
    words = listen(queue, "--structured-logging", "--exit-when-empty", "sleep 0.05; exit $Message")

    lines = cloud.watchbot(*words).stdout.splitlines()

    said = [json.loads(line) for line in lines]
    ends = [line for line in said if "code" in line]
    assert {(line["code"], line["worker_event"]) for line in ends} == {
        (0, "success"),
        (3, "failure"),
    }
    assert {line["name"] for line in said} == {"watcher"}
    for name in ("duration", "response_duration"):  # in milliseconds
        values = [reading(f"{{ $.{name} = * }}", f"$.{name}", line) for line in lines]
        found = [value for value in values if value is not None]
        assert len(found) == 2
        assert all(50 <= value < 60_000 for value in found)
    assert [reading("{ $.receives = * }", "$.receives", line) for line in lines].count(1.0) >= 2


def test_structured_line_of_a_worker_says_so(cloud: Cloud) -> None:
    queue = cloud.queue("who-speaks")
    cloud.send(queue, "x")
    options = ("--structured-logging", "--exit-when-empty", "--exit-wait", "0")
    words = listen(queue, *options, "echo hi; kill -9 $$")

    said = [json.loads(line) for line in cloud.watchbot(*words).stdout.splitlines()]

    assert [line["msg"] for line in said if line["name"] == "worker"] == ["hi"]
    (end,) = [line for line in said if "code" in line]
    assert (end["code"], end["signal"]) == (None, "SIGKILL")
