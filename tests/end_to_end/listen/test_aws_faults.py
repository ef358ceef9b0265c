"""AWS refuses, garbles or does not answer: a watcher goes on, or says why it ends."""

import datetime
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.gate import (
    DELETE,
    HIDE,
    JSON,
    RECEIVE,
    Garble,
    Gate,
    Hold,
    Refuse,
    through,
)
from tests.support.programs import listen, read_until, stop, wait_for


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
