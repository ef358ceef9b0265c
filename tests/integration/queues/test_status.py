"""`watchbot status`, of queues that boto3 has filled."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.integration.queues.conftest import with_dead_letters
from tests.support.cloud import Cloud
from tests.support.inside import run


def shown(*words: str) -> list[dict[str, Any]]:
    """What `watchbot status --json` printed; it went well, and said nothing else."""
    done = run("status", "--json", *words)
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def aged(cloud: Cloud, queue: str, seconds: float) -> None:
    """Lets CloudWatch know the age of the queue's oldest message."""
    figure = {
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
        "Value": seconds,
        "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
    }
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[figure])


def test_queue_is_shown_with_all_that_is_known(cloud: Cloud) -> None:
    queue, dead = with_dead_letters(cloud, "known")
    cloud.send_many(queue, ["a", "b", "c"])
    cloud.send(queue, "later", DelaySeconds=900)
    cloud.sqs.receive_message(QueueUrl=queue)
    cloud.send_many(dead, ["dead", "dead"])
    aged(cloud, "known", 7_300)
    run("pause", "--queue-url", queue, "--reason", "until Monday")

    [found] = shown("--queue-url", queue)

    assert found.pop("paused").items() >= {"reason": "until Monday"}.items()
    assert found == {
        "queue": "known",
        "url": queue,
        "visible": 2,
        "in_flight": 1,
        "delayed": 1,
        "oldest_s": 7_300,
        "oldest_from": "cloudwatch",
        "redrive": {"queue": "known-dead", "max_receives": 5},
        "dead_letters": 2,
        "dead_letters_of": [],
        "unknown": {},
    }


def test_prefix_shows_all_its_queues_in_order(cloud: Cloud) -> None:
    with_dead_letters(cloud, "pre-b")
    cloud.queue("pre-a")
    cloud.queue("other")

    found = shown("--queue-prefix", "pre-")

    assert [each["queue"] for each in found] == ["pre-a", "pre-b", "pre-b-dead"]
    assert [each["dead_letters_of"] for each in found] == [[], [], ["pre-b"]]
    assert found[0]["redrive"] is None


def test_prefix_of_a_person_goes_before_the_queue_of_a_worker(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QueueUrl", f"{cloud.queue('mine')}-other")

    done = run("status", "--queue-prefix", "mine")

    assert done.code == 0
    assert done.out.splitlines()[1].startswith("mine ")


def test_queue_that_is_not_there_is_named_and_the_others_are_shown(cloud: Cloud) -> None:
    queue = cloud.queue("here")

    done = run("status", "--queue-url", f"{queue}-not", "--queue-url", queue)

    assert done.code == 1
    assert done.err.startswith("watchbot: here-not: SQS get_queue_attributes failed: ")
    assert [line.split()[0] for line in done.out.splitlines()] == ["QUEUE", "here"]


def test_denied_calls_are_told(cloud: Cloud) -> None:
    queue = cloud.queue("locked")

    with cloud.guarded():
        one = run("status", "--json", "--queue-url", queue)
        all_of_prefix = run("status", "--queue-prefix", "locked")

    assert one.code == all_of_prefix.code == 1
    assert one.err.startswith("watchbot: locked: SQS get_queue_attributes failed: ")
    assert json.loads(one.out)["error"].startswith("get_queue_attributes: ")
    assert all_of_prefix.err.startswith("watchbot: SQS list_queues failed: ")
    assert all_of_prefix.out == ""


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        ([], 2, "name one of them"),
        (["--queue-prefix", "none-of"], 1, "no queue here has a name that begins with 'none-of'"),
        (["--queue-url", "work"], 2, "must be the URL of a queue"),
        (["--queue-prefix", "a", "--watcher", "host"], 2, "must be a URL, like http://127.0.0.1"),
    ],
)
def test_bad_input_is_refused(words: list[str], code: int, problem: str) -> None:
    done = run("status", *words)

    assert (done.code, done.out) == (code, "")
    assert problem in done.err
    assert done.err.count("\n") == 1


class Watcher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = "watchbot_queue_oldest_message_age_seconds"
        text = (
            f'watchbot_build_info{{version="1"}} 1\n{name}{{queue="watched"}} 90.4\n'
            f'{name}{{queue="empty"}} 0\n'
        )
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def watcher() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Watcher) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_watcher_knows_what_cloudwatch_does_not(cloud: Cloud, watcher: str) -> None:
    urls = [cloud.queue(name) for name in ("watched", "empty", "unwatched")]
    queues = [word for url in urls for word in ("--queue-url", url)]

    found = shown(*queues, "--watcher", watcher)

    assert [(each["oldest_s"], each["oldest_from"]) for each in found] == [
        (90.4, "watcher"),
        (None, None),
        (None, None),
    ]


def test_watcher_that_is_away_is_told(cloud: Cloud) -> None:
    queue = cloud.queue("alone")

    done = run("status", "--queue-url", queue, "--watcher", "http://127.0.0.1:1")

    assert done.code == 0
    assert done.err == "watchbot: no watcher at http://127.0.0.1:1/metrics: Connection refused\n"
    assert "alone" in done.out


def test_server_that_is_not_of_aws_is_asked_alone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = cloud.queue("foreign")
    monkeypatch.delenv("AWS_ENDPOINT_URL")

    done = run("status", "--json", "--queue-url", queue)

    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["unknown"] == {}
