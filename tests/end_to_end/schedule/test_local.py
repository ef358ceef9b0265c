"""`watchbot schedule --local`: what a newcomer sees, pastes, and leaves behind."""

import contextlib
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.programs import NOTHING_LISTENS, TOPIC, assert_refused, read_until


@contextlib.contextmanager
def scheduling(cloud: Cloud, *options: str, **env: str) -> Iterator[tuple[Any, str]]:
    """The process, and its guide, in which the port stands."""
    with cloud.started("schedule", "--local", "--port", "0", *options, env=env) as process:
        said = read_until(process, "serving the API")
        (port,) = re.findall(r"url=\S+:(\d+)", said)
        yield process, said.replace(":PORT", f":{port}")


def pasted(guide: str, word: str) -> list[list[str]]:
    """The lines of the guide that begin with this word."""
    return [shlex.split(line) for line in re.findall(rf"^  ({word} .*)$", guide, re.M)]


def post(guide: str) -> None:
    for line in pasted(guide, "curl"):
        done = subprocess.run([*line, "--fail", "--silent"], capture_output=True, check=True)
        assert b'"link"' in done.stdout


def test_pasted_jobs_fire_again_and_again(cloud: Cloud) -> None:
    with scheduling(cloud, "--cluster", "blue") as (process, guide):
        post(guide)
        said = ""
        # A task is started anew when the one before it has ended: such is a job's overlap.
        while min(said.count("started job=hello"), said.count("started job=tick")) < 2:
            said += read_until(process, "run started")

    assert "cluster  blue" in guide


def test_pasted_watcher_gets_the_messages(cloud: Cloud) -> None:
    with scheduling(cloud) as (process, guide):
        post(guide)
        read_until(process, "run started job=tick")
        ((program, command, *words),) = pasted(guide, "watchbot")
        variables = dict(word.split("=") for word in pasted(guide, "export")[0][1:])

        done = subprocess.run(
            [program, command, "--exit-when-empty", "--poll-wait", "0", *words],
            env={**variables, "PATH": cloud.environment["PATH"]}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "] hello" in done.stdout


def test_failed_run_is_shown(cloud: Cloud) -> None:
    with scheduling(cloud) as (process, guide):
        (api,) = re.findall(r"runs: (\S+)", guide)
        job = {"id": "lost", "schedule": "*", "taskDefinition": "nothing"}
        requests.post(f"{api}/jobs", json=job, timeout=10)

        assert read_until(process, "^--- notification: watchbot schedule: lost failed")


def test_nothing_reaches_another_aws_and_nothing_is_left(cloud: Cloud, tmp_path: Path) -> None:
    elsewhere = {f"AWS_ENDPOINT_URL_{name}": NOTHING_LISTENS for name in ("ECS", "SQS", "SNS")}
    with scheduling(cloud, TMPDIR=str(tmp_path), **elsewhere) as (process, guide):
        post(guide)
        read_until(process, "run started job=hello")
        assert list(tmp_path.iterdir())
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

        assert process.wait(timeout=30) == 0
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
    assert cloud.sqs.list_queues().get("QueueUrls") is None


def test_database_that_is_asked_for_is_kept(cloud: Cloud, tmp_path: Path) -> None:
    options = ("--database", f"sqlite:///{tmp_path}/kept.db")
    with scheduling(cloud, *options) as (process, guide):
        post(guide)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    with scheduling(cloud, *options) as (_, guide):
        (api,) = re.findall(r"runs: (\S+)", guide)
        found = requests.get(f"{api}/jobs", timeout=10).json()["jobs"]

    assert {job["id"] for job in found} == {"hello", "tick"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--endpoint-url", NOTHING_LISTENS], "--endpoint-url (WATCHBOT_ENDPOINT_URL)"),
        (["--notification-topic", TOPIC], "--notification-topic (WATCHBOT_NOTIFICATION_TOPIC"),
        (["--database", "mysql://x"], "--database (WATCHBOT_DATABASE)"),
        (["--port", "70000"], "--port (WATCHBOT_PORT)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_option(cloud: Cloud, options: list[str], said: str) -> None:
    assert_refused(cloud.watchbot("schedule", "--local", *options), 2, said)


def test_port_in_use(cloud: Cloud) -> None:
    port = cloud.url.rpartition(":")[2]

    done = cloud.watchbot("schedule", "--local", "--port", port)

    assert_refused(done, 2, "--port (WATCHBOT_PORT)", port)
