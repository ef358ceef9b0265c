"""Checks the promises of the pages on migration.

Workers of ecs-watchbot run under their stack's variables, with our watcher; the commands of the
other pages run as they stand there.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.log_filters import reading
from tests.support.old_jobs import in_sqlite, put

PAGES = Path(__file__).parents[2] / "docs/how-to"

TOPIC = "arn:aws:sns:us-east-1:123456789012:stack-WatchbotTopic"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

SHELL = """#!/bin/sh
[ -t 0 ] && exit 1
touch "$Volumes/left-behind"
echo "got $Subject/$Message/$ApproximateReceiveCount/$SentTimestamp"
echo "stack $WorkTopic"
case $Message in fail) exit 1;; reject) exit 3;; later) exit 4;; esac
"""
PYTHON = f"""#!{sys.executable}
import os, pathlib, sys
at = os.environ
pathlib.Path(at["Volumes"], "left-behind").touch()
print(f'got {{at["Subject"]}}/{{at["Message"]}}/{{at["ApproximateReceiveCount"]}}', end="/")
print(at["SentTimestamp"])
print("stack", at["WorkTopic"])
sys.exit({{"fail": 1, "reject": 3, "later": 4}}.get(at["Message"], 0))
"""
NODE = """#!/usr/bin/env node
const at = process.env;
require('fs').writeFileSync(at.Volumes + '/left-behind', '');
console.log(`got ${at.Subject}/${at.Message}/${at.ApproximateReceiveCount}/${at.SentTimestamp}`);
console.log(`stack ${at.WorkTopic}`);
process.exit({ fail: 1, reject: 3, later: 4 }[at.Message] || 0);
"""
WORKERS = {"shell": SHELL, "python": PYTHON, "node": NODE}

VERSION_4 = {"LogGroup": "stack-us-east-1-watchbot"}
VERSION_9 = {**VERSION_4, "structuredLogging": "true"}
VERSION_10 = {
    "LogGroup": "arn:aws:logs:us-east-1:123456789012:log-group:stack-us-east-1-watchbot:*",
    "QUEUE_NAME": "stack-WatchbotQueue",
    "structuredLogging": "false",
}
STACKS = {"4": VERSION_4, "9": VERSION_9, "10": VERSION_10}


@dataclass(frozen=True, slots=True)
class Old:
    """A stack of ecs-watchbot as its container sees it, with its queue and a worker."""

    cloud: Cloud
    queue: str
    folder: Path
    env: Mapping[str, str]

    @property
    def volume(self) -> Path:
        """The only directory that the stack mounts."""
        return self.folder / "mount"

    def send(self, message: str, subject: str | None = "job") -> None:
        """A notification as SNS puts it into the queue."""
        document = {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": message}
        if subject:
            document["Subject"] = subject
        self.cloud.send(self.queue, json.dumps(document))

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """`watchbot listen`, in the words of the stack, until the queue is empty."""
        ours = {"EXIT_WHEN_EMPTY": "true", "EXIT_WAIT": "0", "POLL_WAIT": "1"}
        env = {**self.env, **{f"WATCHBOT_{name}": value for name, value in ours.items()}, **more}
        return self.cloud.watchbot("listen", *words, env=env)

    def worker(self, script: str) -> str:
        """The path of a worker."""
        path = self.folder / "worker"
        path.write_text(script)
        path.chmod(0o755)
        return str(path)


@pytest.fixture
def old(cloud: Cloud, tmp_path: Path) -> Callable[[str], Old]:
    """Makes a stack of a version of ecs-watchbot."""

    def make(version: str) -> Old:
        queue = cloud.queue(f"{tmp_path.name.replace('_', '-')}"[:80])
        (tmp_path / "mount").mkdir()
        env = {
            "QueueUrl": queue,
            "WorkTopic": TOPIC,
            "Volumes": str(tmp_path / "mount"),
            "writableFilesystem": "false",
            "maxJobDuration": "0",
            "Fifo": "false",
            **STACKS[version],
        }
        return Old(cloud, queue, tmp_path, env)

    return make


def printed(stack: Old, out: str) -> list[str]:
    """The workers' output, without prefix or envelope."""
    if stack.env.get("structuredLogging") == "true":
        lines = [json.loads(line) for line in out.splitlines()]
        return [line["msg"] for line in lines if line["name"] == "worker"]
    return re.findall(r"^\[.*GMT\] \[worker\] \[[\w-]+\] (.*)$", out, re.M)


@pytest.mark.parametrize("language", WORKERS)
@pytest.mark.parametrize("version", STACKS)
def test_worker_runs_as_it_did(old: Callable[[str], Old], version: str, language: str) -> None:
    if language == "node" and not shutil.which("node"):
        pytest.skip("there is no node here")
    stack = old(version)
    for message in ("well", "fail", "reject", "later"):
        stack.send(message)

    done = stack.run(stack.worker(WORKERS[language]))

    assert done.returncode == 0, done.stderr
    said = printed(stack, done.stdout)
    for message in ("well", "fail", "reject", "later"):
        assert (
            len([line for line in said if re.fullmatch(f"got job/{message}/1/{TIME}", line)]) == 1
        )
    assert f"stack {TOPIC}" in said
    assert stack.cloud.depth(stack.queue) == (0, 2)  # fail and later went back
    assert list(stack.volume.iterdir()) == []


def test_words_of_the_stack_are_the_command(old: Callable[[str], Old]) -> None:
    stack = old("10")
    stack.send("x")

    done = stack.run(stack.worker('#!/bin/sh\nprintf "<%s>" "$@"\n'), "--flag", "two words")

    assert printed(stack, done.stdout) == ["<--flag><two words>"]


OPENS_ITSELF_IN_PYTHON = f"""#!{sys.executable}
import json, os
print(json.loads(json.loads(os.environ["Message"])["Message"])["id"])
"""


def test_worker_that_opens_notifications_itself_needs_legacy(old: Callable[[str], Old]) -> None:
    stack = old("9")
    worker = stack.worker(OPENS_ITSELF_IN_PYTHON)

    stack.send('{"id": 7}', subject=None)
    legacy = stack.run(worker, WATCHBOT_ENVELOPE="legacy")
    stack.send('{"id": 8}', subject=None)
    opened = stack.run(worker)

    assert printed(stack, legacy.stdout) == ["7"]
    assert "8" not in printed(stack, opened.stdout)
    assert stack.cloud.depth(stack.queue) == (0, 1)


@pytest.mark.parametrize(("code", "fires"), [(0, 0), (1, 1), (3, 1), (4, 0)])
def test_alarm_of_the_old_stack_fires_for_text_lines(
    old: Callable[[str], Old], code: int, fires: int
) -> None:
    stack = old("10")
    stack.send("x")

    lines = stack.run(f"exit {code}").stdout.splitlines()

    assert [reading('"[failure]"', "1", line) for line in lines].count(1.0) == fires


def test_worker_in_a_fresh_container_for_each_job(old: Callable[[str], Old]) -> None:
    stack = old("9")
    stack.send("one")
    stack.send("two")

    done = stack.run("echo ran", writableFilesystem="true")

    assert done.returncode == 0
    assert printed(stack, done.stdout) == ["ran"]
    assert sum(stack.cloud.depth(stack.queue)) == 1


def test_longest_job_is_given_in_seconds(old: Callable[[str], Old]) -> None:
    stack = old("4")
    stack.send("x")

    done = stack.run("sleep 60", maxJobDuration="1")

    assert "[failure]" in done.stdout
    assert stack.cloud.depth(stack.queue) == (0, 1)


def commands(page: str, begin: str) -> list[str]:
    """The commands of a page that begin so."""
    found = re.findall(rf"^ *({begin}.*)$", (PAGES / page).read_text(), re.M)
    assert found
    return found


def typed(cloud: Cloud, folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """The result of a page's command in a folder."""
    env, code = {**cloud.environment, "HOME": str(folder)}, ["sh", "-c", command]
    return subprocess.run(
        code, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_commands_of_the_page_on_ecs_scheduler(cloud: Cloud, tmp_path: Path) -> None:
    in_sqlite(cloud, tmp_path)

    dry, real = (
        typed(cloud, tmp_path, command)
        for command in commands("migrate-from-ecs-scheduler.md", "watchbot schedule import")
    )

    assert "nightly: would be imported" in dry.stdout.splitlines(), dry.stderr
    assert "nightly: imported" in real.stdout.splitlines(), real.stderr


def test_commands_of_the_page_on_clockwork(cloud: Cloud, tmp_path: Path) -> None:
    name = "arn:aws:ecs:us-east-1:123456789012"
    row = {"definition_arn": f"{name}:task-definition/r:3", "ecs_cluster_arn": f"{name}:cluster/c"}
    put(cloud, "clockwork-rows", "id", {"id": "0b7e", "name": "r", "cron_time": "0 0 1 * *", **row})
    (command,) = commands("migrate-from-clockwork.md", "watchbot schedule import")
    command = command.replace("TABLE", "clockwork-rows")

    done = typed(cloud, tmp_path, re.sub(r"postgresql://\S+", "sqlite:///new.db", command))

    assert (done.returncode, done.stdout) == (0, "0b7e: imported\n"), done.stderr


def test_command_of_the_page_on_ecs_station_agent(cloud: Cloud, tmp_path: Path) -> None:
    page = (PAGES / "migrate-from-ecs-station-agent.md").read_text()
    (words,) = re.findall(r"\| `(watchbot record -postgres URL -sqs URL)`;", page)
    command = words.replace("-postgres URL", "-postgres postgresql://u@127.0.0.1:9/d")

    done = typed(cloud, tmp_path, command.replace("-sqs URL", f"-sqs {cloud.queue('station')}"))

    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr  # all is understood; there is no such database


def progress(cloud: Cloud, *words: str) -> tuple[int, str]:
    """The exit code of `watchbot-progress`, and what it prints."""
    env = {**cloud.environment, "ProgressTable": cloud_table(cloud)}
    done = subprocess.run(
        [str(BIN / "watchbot-progress"), *words],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def cloud_table(cloud: Cloud) -> str:
    """The ARN of the progress table, as a stack gives it."""
    if "stack-progress" not in cloud.dynamodb.list_tables()["TableNames"]:
        cloud.table("stack-progress")
    return "arn:aws:dynamodb:us-east-1:123456789012:table/stack-progress"


def test_progress_differs_as_the_page_says(cloud: Cloud) -> None:
    assert progress(cloud, "set-total", "j", "-t", "2") == (0, "")
    assert progress(cloud, "complete-part", "j", "-p", "1") == (0, "false\n")
    assert progress(cloud, "complete-part", "j", "-p", "2") == (0, "true\n")
    assert progress(cloud, "complete-part", "j", "-p", "2") == (0, "false\n")
    assert progress(cloud, "status", "j", "-p", "1") == (0, '{"progress":1,"partComplete":true}\n')
    for wrong in (
        ("complete-part", "j", "-p", "9"),
        ("complete-part", "nobody", "-p", "1"),
        ("status", "nobody"),
        ("set-metadata", "j", "-m", "{"),
        ("no-such", "j"),
    ):
        assert progress(cloud, *wrong) == (2, "")
