"""With --structured-logging, every line of `record` and `schedule` is JSON, whatever happens."""

import json
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.gate import Gate, Refuse, running_gate
from tests.support.postgres import PASSWORD, PostgresServer, running_postgres
from tests.support.programs import read_until

LEVELS = {20, 30, 40, 50, 60}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def gate(cloud: Cloud) -> Iterator[Gate]:
    with running_gate(cloud.url) as gate:
        yield gate


def parsed(said: str) -> list[dict[str, Any]]:
    """The lines of a log; fails at one that is no JSON."""
    return [json.loads(line) for line in said.splitlines()]


def rest_of(process: subprocess.Popen[str]) -> str:
    """The watcher's output from SIGTERM to its end."""
    process.terminate()
    return process.communicate(timeout=60)[0]


def port_of(said: str) -> int:
    """The port of the last URL in these lines."""
    urls = [str(line["url"]) for line in parsed(said) if "url" in line]
    return int(urls[-1].rpartition(":")[2])


def say_what_is_no_http(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        client.recv(1000)


def assert_all_are_ours(said: str, who: str, *messages: str) -> None:
    lines = parsed(said)
    assert {line["name"] for line in lines} == {who}
    assert {line["level"] for line in lines} <= LEVELS
    for message in messages:
        assert any(message in line["msg"] for line in lines), message
    assert PASSWORD not in said


def test_record(cloud: Cloud, gate: Gate, server: PostgresServer) -> None:
    queue = cloud.queue("structured-record")
    words = (
        "record", "--queue-url", queue, "--database", server.new_database(), "--poll-wait", "1",
        "--metrics-host", "127.0.0.1", "--metrics-port", "0", "--structured-logging",
    )  # fmt: skip

    with cloud.started(*words, env={"AWS_ENDPOINT_URL": gate.url}) as recorder:
        said = read_until(recorder, '"started"')
        say_what_is_no_http(port_of(said))
        said += read_until(recorder, "Invalid HTTP request received")
        gate.rule = lambda operation, *_: Refuse() if operation == "ReceiveMessage" else None
        said += read_until(recorder, "receive failed")
        server.kill()
        gate.rule = lambda *_: None
        cloud.send(queue, "no event")
        said += read_until(recorder, "not written")
        server.start()
        said += rest_of(recorder)

    assert recorder.returncode == 0, said
    assert_all_are_ours(said, "recorder", "tables changed", "not written", "stopped")


def test_schedule(cloud: Cloud, server: PostgresServer) -> None:
    queue = cloud.queue("structured-schedule")
    words = (
        "schedule", "--port", "0", "--database", server.new_database(), "--structured-logging",
    )  # fmt: skip
    job: dict[str, Any] = {
        "id": "j",
        "schedule": "* * * * * *",
        "dialect": "cron",
        "target": {"type": "sqs", "queueUrl": queue, "message": "tick"},
    }

    with cloud.started(*words) as scheduler:
        said = read_until(scheduler, "serving the API")
        port = port_of(said)
        say_what_is_no_http(port)
        said += read_until(scheduler, "Invalid HTTP request received")
        made = requests.post(f"http://127.0.0.1:{port}/jobs", json=job, timeout=10)
        said += read_until(scheduler, "run started")
        cloud.sqs.delete_queue(QueueUrl=queue)
        said += read_until(scheduler, "run failed")
        server.kill()
        said += read_until(scheduler, "database failed")
        away = requests.get(f"http://127.0.0.1:{port}/jobs", timeout=30)
        server.start()
        said += read_until(scheduler, "run failed")
        said += rest_of(scheduler)

    assert (made.status_code, away.status_code, scheduler.returncode) == (201, 503, 0), said
    assert_all_are_ours(said, "scheduler", "tables changed", "run started", "stopped")
