"""AWS, the network and the machine fail in every way: no message is lost, none runs twice."""

import datetime
import http.server
import itertools
import json
import os
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud import BIN, Cloud
from tests.support.gate import JSON, Garble, Gate, Hold, Lose, Refuse, Request, running_gate
from tests.support.programs import first_child, is_gone, own_namespace, read_until, wait_for

HIDE, DELETE, RECEIVE = "ChangeMessageVisibilityBatch", "DeleteMessageBatch", "ReceiveMessage"


ANSWERS_S = 0.4  # how late a slow SQS answers


@pytest.fixture
def gate(cloud: Cloud) -> Iterator[Gate]:
    with running_gate(cloud.url) as gate:
        yield gate


def through(gate: Gate, **more: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": gate.url, **more}


def listen(queue: str, *words: str) -> tuple[str, ...]:
    return ("listen", "--queue-url", queue, "--poll-wait", "1", *words)


def entries(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = request.body["Entries"]
    return found


def stop(watcher: subprocess.Popen[str]) -> str:
    """What it says from SIGTERM to its end."""
    watcher.terminate()
    return watcher.communicate(timeout=60)[0]


def test_heartbeats_go_in_batches_of_ten(cloud: Cloud, gate: Gate, tmp_path: Path) -> None:
    queue = cloud.queue("batches")
    cloud.send_many(queue, [str(number) for number in range(20)])
    options = ("--concurrency", "20", "--visibility-timeout", "3")

    done = cloud.listen(queue, *options, f"sleep 4; echo ran >> {tmp_path}/runs", env=through(gate))

    assert done.returncode == 0, done.stderr
    assert len(wait_for(tmp_path / "runs", 20)) == 20
    sizes = [len(entries(request)) for request in gate.seen(HIDE)]
    assert max(sizes) == 10
    assert sum(sizes) >= 5 * len(sizes)
    assert sum(sizes) >= 3 * 20  # every second, four times, in the least


def test_heartbeat_that_fails_is_tried_again_within_the_lease(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("heartbeat-fails")
    cloud.send(queue, "x")
    turns = iter(range(1000))
    gate.rule = lambda operation, *_: (
        Refuse() if operation == HIDE and next(turns) % 3 < 2 else None
    )

    done = cloud.listen(
        queue, "--visibility-timeout", "2", f"echo ran >> {tmp_path}/runs; sleep 5",
        env=through(gate),
    )  # fmt: skip

    assert "heartbeat failed, trying again" in done.stdout
    assert "lease lost" not in done.stdout
    assert "completed" in done.stdout
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_delete_that_fails_is_tried_again_while_the_message_stays_ours(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("delete-fails")
    cloud.send(queue, "x")

    def until_it_was_renewed_twice(operation: str, *_: object) -> Refuse | None:
        tried = gate.seen(DELETE)
        renewed = [each for each in gate.seen(HIDE) if tried and each.began > tried[0].ended]
        return Refuse() if operation == DELETE and len(renewed) < 2 else None

    gate.rule = until_it_was_renewed_twice
    done = cloud.listen(
        queue, "--visibility-timeout", "2", f"echo ran >> {tmp_path}/runs", env=through(gate)
    )

    assert "settling failed, trying again" in done.stdout
    assert "lease lost" not in done.stdout
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_delete_whose_answer_is_lost_is_a_delete(cloud: Cloud, gate: Gate, tmp_path: Path) -> None:
    queue = cloud.queue("answer-lost")
    cloud.send(queue, "x")
    gate.rule = lambda operation, *_: (
        Lose() if operation == DELETE and not gate.seen(DELETE) else None
    )

    done = cloud.listen(queue, f"echo ran >> {tmp_path}/runs", env=through(gate))

    assert done.returncode == 0, done.stderr
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_renewal_and_settling_of_a_message_never_overlap(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("overlap")
    cloud.send_many(queue, [f"{number / 5}" for number in range(20)])

    def slowly(operation: str, *_: object) -> Hold | None:
        answered = threading.Event()
        if operation in {HIDE, DELETE}:
            threading.Timer(ANSWERS_S, answered.set).start()
            return Hold(answered)
        return None

    gate.rule = slowly
    options = ("--concurrency", "20", "--visibility-timeout", "2")
    done = cloud.listen(queue, *options, 'sleep "$Message"', env=through(gate))

    assert done.stdout.count("completed") == 20
    calls: dict[str, list[tuple[float, float]]] = {}
    for request in gate.seen(HIDE, DELETE):
        for entry in entries(request):
            calls.setdefault(entry["ReceiptHandle"], []).append((request.began, request.ended))
    assert sum(len(times) for times in calls.values()) > 3 * 20
    for times in calls.values():
        times.sort()
        assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(times))


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

    assert 'released ending="lease lost; exit code 0"' in said
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


def test_poll_that_hangs_is_given_up(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("hangs")
    cloud.send(queue, "x")
    never, polls = threading.Event(), iter(range(1000))
    gate.rule = lambda operation, *_: (
        Hold(never) if operation == RECEIVE and next(polls) == 0 else None
    )

    with cloud.started(*listen(queue, "true"), env=through(gate)) as watcher:
        said = read_until(watcher, "completed")
        never.set()

    assert "receive failed, trying again" in said


def test_settling_that_hangs_is_tried_again_within_the_lease(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("settling-hangs")
    cloud.send(queue, "x")
    never, deletes = threading.Event(), iter(range(1000))
    gate.rule = lambda operation, *_: (
        Hold(never) if operation == DELETE and next(deletes) == 0 else None
    )

    done = cloud.listen(
        queue, "--visibility-timeout", "6", f"echo ran >> {tmp_path}/runs", env=through(gate)
    )
    never.set()

    assert "code=Timeout" in done.stdout
    assert "lease lost" not in done.stdout
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


HTML = Garble(403, b"<html>Forbidden</html>")


NO_TEXT = Garble(200, b"\xff\xfe\x00", JSON)


NO_OBJECT = Garble(200, b"[]", JSON)


PUBLISH = ""  # SNS speaks another protocol, in which the gate sees no name


@pytest.mark.parametrize(
    ("operation", "answer"),
    [(PUBLISH, HTML), (HIDE, NO_TEXT), (DELETE, NO_TEXT), (RECEIVE, NO_TEXT), (RECEIVE, NO_OBJECT)],
    ids=["publish", "hide", "delete", "receive", "receive-no-object"],
)
def test_answer_that_nobody_understands_is_survived(
    cloud: Cloud, gate: Gate, answer: Garble, operation: str, request: pytest.FixtureRequest
) -> None:
    queue = cloud.queue(re.sub(r"\W", "-", request.node.name))
    topic = cloud.topic("garbled")
    garbled = iter(range(1000))
    gate.rule = lambda asked, *_: (
        answer if asked == operation and gate.seen(RECEIVE) and next(garbled) < 2 else None
    )
    options = ("--visibility-timeout", "2", "--notification-topic", topic)

    with cloud.started(*listen(queue, *options, "sleep 1.5; exit 3"), env=through(gate)) as watcher:
        cloud.send(queue, "x")
        said = read_until(watcher, "rejected") + stop(watcher)

    assert watcher.returncode == 0, said
    assert "Traceback" not in said
    assert said.count(" rejected ") == 1
    assert cloud.depth(queue) == (0, 0)


def test_message_that_comes_late_in_a_poll_has_its_whole_lease(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("late")
    words = ("--queue-url", queue, "--poll-wait", "5", "--visibility-timeout", "1")

    with cloud.started("listen", *words, f"echo ran >> {tmp_path}/runs; sleep 3") as watcher:
        read_until(watcher, "started")
        time.sleep(2.5)  # into the poll, longer than the lease
        cloud.send(queue, "x")
        said = read_until(watcher, "completed") + stop(watcher)

    assert "receives=1" in said
    assert "lease lost" not in said
    assert wait_for(tmp_path / "runs") == ["ran"]


class Credentials(http.server.BaseHTTPRequestHandler):
    """Hands out a new key each time, good for three seconds, as the agent of ECS does for hours."""

    issued: dict[str, float]

    def do_GET(self) -> None:
        key = f"KEY{len(self.issued):016d}"
        ends = time.time() + 3
        self.issued[key] = ends
        moment = datetime.datetime.fromtimestamp(ends, datetime.UTC)
        answer = json.dumps(
            {
                "AccessKeyId": key,
                "SecretAccessKey": "secret",
                "Token": "token",
                "Expiration": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def credentials() -> Iterator[tuple[str, dict[str, float]]]:
    issued: dict[str, float] = {}
    handler = type("These", (Credentials,), {"issued": issued})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", issued
        server.shutdown()
        thread.join()


def test_credentials_that_expire_and_rotate_are_survived(
    cloud: Cloud, gate: Gate, credentials: tuple[str, dict[str, float]], tmp_path: Path
) -> None:
    url, issued = credentials
    queue = cloud.queue("credentials")
    cloud.send_many(queue, [str(number) for number in range(8)])
    gate.rule = lambda operation, body, key: (
        Refuse(403, "ExpiredTokenException") if issued.get(key, 0) < time.time() else None
    )
    environment = through(
        gate,
        AWS_ACCESS_KEY_ID="",
        AWS_SECRET_ACCESS_KEY="",
        AWS_CONTAINER_CREDENTIALS_FULL_URI=url,
    )

    done = cloud.listen(
        queue, "--visibility-timeout", "3", f"echo ran >> {tmp_path}/runs; sleep 1",
        env=environment,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert len(wait_for(tmp_path / "runs", 8)) == 8
    assert cloud.depth(queue) == (0, 0)
    used = {request.access_key for request in gate.seen(RECEIVE, DELETE, HIDE)}
    assert len(used) >= 3


def test_token_that_is_refused_for_a_while_is_survived(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("token")
    polls = iter(range(1000))
    gate.rule = lambda operation, *_: (
        Refuse(403, "ExpiredTokenException")
        if operation == RECEIVE and 0 < next(polls) < 4
        else None
    )

    with cloud.started(*listen(queue, "true"), env=through(gate)) as watcher:
        read_until(watcher, "receive failed, trying again")
        cloud.send(queue, "x")
        read_until(watcher, "completed")
        stop(watcher)

    assert watcher.returncode == 0


def test_lasting_refusal_is_no_hot_loop_and_then_the_end(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("refused")
    options = ("--give-up-after", "5", "--metrics-host", "127.0.0.1", "--metrics-port", "0")

    with cloud.started(*listen(queue, *options, "true"), env=through(gate)) as watcher:
        said = read_until(watcher, "started")
        (url,) = re.findall(r"url=(\S+)", said)
        while not gate.seen(RECEIVE):
            time.sleep(0.01)  # the gate announces nothing
        gate.rule = lambda operation, *_: (
            Refuse(403, "AccessDenied") if operation == RECEIVE else None
        )
        said += read_until(watcher, "receive failed")
        health = requests.get(f"{url}/healthz", timeout=10)
        ready = requests.get(f"{url}/readyz", timeout=10)
        before = len(gate.seen(RECEIVE))
        said += watcher.communicate(timeout=60)[0]

    assert health.status_code == 200
    assert ready.status_code == 503
    assert "AccessDenied" in ready.text
    assert watcher.returncode == 1
    assert said.splitlines()[-1].startswith("watchbot: SQS receive_message failed: AccessDenied")
    # Five seconds of tries with pauses that double from 0.2 s: about seven; never hundreds.
    assert len(gate.seen(RECEIVE)) - before < 60


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


def test_topic_that_is_deleted_stops_no_work_and_fills_no_log(cloud: Cloud) -> None:
    queue = cloud.queue("topic-gone")
    topic = cloud.topic("topic-gone")
    options = ("--metrics-host", "127.0.0.1", "--metrics-port", "0", "--notification-topic", topic)

    with cloud.started(*listen(queue, *options, "exit 3")) as watcher:
        said = read_until(watcher, "started")
        (url,) = re.findall(r"url=(\S+)", said)
        cloud.sns.delete_topic(TopicArn=topic)
        cloud.send_many(queue, ["a", "b", "c"])
        failed = 'watchbot_notifications_total{result="failed"} 3.0'
        while failed not in requests.get(f"{url}/metrics", timeout=10).text:
            assert watcher.poll() is None
        said = stop(watcher)

    assert watcher.returncode == 0
    assert said.count(" rejected ending=") == 3
    assert said.count("notification failed") == 1
    assert cloud.depth(queue) == (0, 0)


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


def test_stop_is_heard_while_the_queue_is_not_reached(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("not-reached")
    cloud.send(queue, "x")
    never = threading.Event()
    gate.rule = lambda operation, *_: Hold(never) if operation == "GetQueueAttributes" else None

    with cloud.started(*listen(queue, "true"), env=through(gate)) as watcher:
        read_until(watcher, "queue not reached, trying again")
        stop(watcher)
        never.set()

    assert watcher.returncode == 0
    assert gate.seen(RECEIVE) == []  # not a receive is spent


def test_empty_queue_is_no_hot_loop_without_long_polls(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("short-polls")

    with cloud.started(
        "listen", "--queue-url", queue, "--poll-wait", "0", "true", env=through(gate)
    ) as watcher:
        while len(gate.seen(RECEIVE)) < 3:
            time.sleep(0.01)  # the gate announces nothing
        stop(watcher)

    first, *_, last = polls = gate.seen(RECEIVE)
    assert last.began - first.began > 0.9 * (len(polls) - 1)


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


def test_fair_queue_s_groups_run_side_by_side(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("fair")
    for _ in range(2):
        cloud.send(queue, "x", MessageGroupId="tenant")
    up = tmp_path / "up"
    both = f'echo "$MessageGroupId" >> {up}; until [ $(wc -l < {up}) = 2 ]; do :; done'

    done = cloud.listen(queue, "--concurrency", "2", "--max-job-duration", "20", both)

    assert done.stdout.count("completed") == 2
    assert wait_for(up, 2) == ["tenant", "tenant"]


def test_breaker_shows_and_closes_again(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("recovers", VisibilityTimeout="30")
    cloud.send_many(queue, [str(number) for number in range(10)])
    options = ("--breaker", "2", "--metrics-host", "127.0.0.1", "--metrics-port", "0")

    with cloud.started(
        *listen(queue, *options, f"test -e {tmp_path}/mended || {{ echo broken; exit 1; }}")
    ) as watcher:
        said = read_until(watcher, "breaker open")
        (url,) = re.findall(r"url=(\S+)", said)
        ready = requests.get(f"{url}/readyz", timeout=10)
        gauge = requests.get(f"{url}/metrics", timeout=10).text
        (tmp_path / "mended").touch()
        read_until(watcher, "breaker closed")
        ready_again = requests.get(f"{url}/readyz", timeout=10)

    assert ready.status_code == 503
    assert "breaker" in ready.text
    assert "watchbot_breaker_open 1.0" in gauge
    assert ready_again.status_code == 200


@pytest.mark.parametrize("denied", [DELETE, HIDE])
def test_permission_that_is_missing_is_told_at_once_and_holds_up_no_end(
    cloud: Cloud, gate: Gate, denied: str
) -> None:
    queue = cloud.queue("denied")
    cloud.send_many(queue, ["0", "1"])
    options = ("--metrics-host", "127.0.0.1", "--metrics-port", "0", "--concurrency", "2")
    gate.rule = lambda operation, *_: Refuse(403, "AccessDenied") if operation == denied else None

    with cloud.started(*listen(queue, *options, 'exit "$Message"'), env=through(gate)) as watcher:
        said = read_until(watcher, "not settled, left to its visibility timeout")
        (url,) = re.findall(r"url=(\S+)", said)
        ready = requests.get(f"{url}/readyz", timeout=10)
        health = requests.get(f"{url}/healthz", timeout=10)
        stop(watcher)

    assert watcher.returncode == 0
    assert said.count(" is denied ") == 1
    assert (ready.status_code, health.status_code) == (503, 200)
    assert "is denied" in ready.text
    assert len(gate.seen(denied)) <= 6


def test_delete_whose_answers_are_lost_loses_no_lease(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("late-answers")
    cloud.send(queue, "x")
    gate.rule = lambda operation, *_: (
        Lose() if operation == DELETE and not gate.seen(HIDE) else None
    )

    with cloud.started(
        *listen(queue, "--visibility-timeout", "1", "--exit-when-empty", "true"), env=through(gate)
    ) as watcher:
        said = watcher.communicate(timeout=60)[0]

    assert watcher.returncode == 0
    assert "completed" in said
    assert "lease lost" not in said


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
        both = "watchbot_messages_in_hand 2.0"
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
    options = ("--visibility-timeout", "1", "--concurrency", "2")
    port = ("--metrics-host", "127.0.0.1", "--metrics-port", "0")

    with cloud.started(*listen(queue, *options, *port, command), env=through(gate)) as watcher:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, r"\] began$"))
        watcher.send_signal(signal.SIGSTOP)
        time.sleep(2)  # the lease runs out, and the worker goes on
        watcher.send_signal(signal.SIGCONT)
        both = "watchbot_messages_in_hand 2.0"
        while both not in requests.get(f"{url}/metrics", timeout=10).text:
            assert watcher.poll() is None
        (tmp_path / "go").touch()
        said = read_until(watcher, "it was in hand twice, and went back")
        stop(watcher)

    assert "] began" not in said  # nobody ran the second as the first had failed
    hidden = [entry for request in gate.seen(HIDE) for entry in request.body["Entries"]]
    pauses = {entry["VisibilityTimeout"] for entry in hidden}
    # The backoff of the run, and not that of the second receive (4). Renewals are for 1; what the
    # last poll brings is given back with 0.
    assert pauses - {0, 1} == {2}


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
