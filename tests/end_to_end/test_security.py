"""Secrets stay secret, and the content of a message stays data."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from watchbot.cli import COMMANDS

PLANTED = "Pl4nted"  # part of every secret below; no output may hold it
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": f"{PLANTED}-key",
    "AWS_SESSION_TOKEN": f"{PLANTED}-session",
    "WATCHBOT_HTTP_TOKEN": f"{PLANTED}-token",
}
NOBODY = "http://127.0.0.1:9"  # nothing listens there
DATABASE = f"postgresql://keeper:{PLANTED}-word@127.0.0.1:9/tasks"
TOPIC = "arn:aws:sns:us-east-1:123456789012:secrets"

KEPT = ("--token", f"{PLANTED}-token", "hello")  # for a message that a scheduler keeps

# One that works, and those that fail where a secret is at hand. URL stands for a queue's.
RUNS = {
    "listen": [
        ["--queue-url", "URL", "--exit-when-empty", "--poll-wait", "1", "--log-bodies", "true"],
        ["--queue-url", "URL", "--exit-when-empty", "--poll-wait", "1", "false"],
        ["--queue-url", f"{NOBODY}/1/q", "--endpoint-url", NOBODY, "--give-up-after", "1", "true"],
    ],
    "record": [
        ["--queue-url", "URL", "--exit-when-empty", "--poll-wait", "1", "--http-port", "0"],
        ["--queue-url", "URL", "--database", DATABASE, "--give-up-after", "1"],
    ],
    "schedule": [
        ["--database", DATABASE],
        ["--token", f"{PLANTED}-token", "--host", "203.0.113.7", "--port", "0"],
        ["import", "--source", DATABASE],
    ],
    "tasks": [["running", "--database", DATABASE], ["running", "--database", "sqlite:///none.db"]],
    "template": [
        ["--service", "x", "--image", "x", "--kind", "record", "--database", DATABASE],
        ["--service", "x", "--image", "x", "--kind", "record", "--database", "/tasks/database"],
    ],
    "local": [["--exit-when-empty", "--poll-wait", "1", "--send", "hello", "true"]],
    "send": [
        ["--queue-url", "URL", "hello"],
        ["--queue-url", f"{NOBODY}/1/q", "--endpoint-url", NOBODY, "hello"],
        [*("--queue-url", "URL", "--at", "1d", "--scheduler-url", NOBODY), *KEPT],
        ["--queue-url", "URL", "--token", f"{PLANTED}\n", "hello"],
        ["--queue-url", "URL", "--scheduler-url", f"http://me:{PLANTED}-word@127.0.0.1", "hello"],
    ],
    "console": [
        ["--queue-url", "URL", "--port", "0", "--database", DATABASE.replace(":9", ":nine")],
        ["--queue-url", "URL", "--port", "0", "--failures", DATABASE.replace(":9", ":nine")],
        ["--queue-url", "URL", "--port", "0", "--schedule", f"http://me:{PLANTED}@127.0.0.1:9"],
    ],
    "replay": [["none.json", "true"], ["m", "--queue-url", "URL", "true"]],
    "explain": [["m", "--database", DATABASE], ["m", "--queue-url", f"{NOBODY}/1/q"]],
    "chaos": [["--messages", "none", "true"]],
    "ctl": [["deadline"], ["reject", "why"]],
    "pause": [["--queue-url", "URL", "--reason", "why"], ["--queue-url", f"{NOBODY}/1/q"]],
    "resume": [["--queue-url", "URL"], ["--queue-url", f"{NOBODY}/1/q"]],
    "status": [
        ["--queue-url", "URL", "--json"],
        ["--queue-url", "URL", "--watcher", f"http://me:{PLANTED}-page@127.0.0.1:9/metrics"],
    ],
    "dead-letter": [
        ["list", "--dead-letter-queue-url", "URL", "--json"],
        ["show", "nowhere", "--dead-letter-queue-url", "URL"],
        ["list", "--queue-url", f"{NOBODY}/1/q", "--endpoint-url", NOBODY],
    ],
    "progress": [
        ["status", "a-job", "-d", f"redis://me:{PLANTED}-word@127.0.0.1:9/0"],
        ["status", "a-job", "-d", f"redis//me:{PLANTED}-word@127.0.0.1:9/0"],
        ["ls", "-d", "a-table", "--endpoint-url", NOBODY],
    ],
    "doctor": [["--queue-url", "URL", "--topic", TOPIC], ["--queue-url", "URL", "--json"]],
    "healthcheck": [["--port", "9"]],
    "top": [["--once", "--url", f"http://me:{PLANTED}-page@127.0.0.1:9/metrics"]],
    "log": [["a line"]],
    "completion": [["bash"]],
}  # fmt: skip


def test_every_command_is_looked_at() -> None:
    assert set(RUNS) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_a_secret(cloud: Cloud, tmp_path: Path, command: str) -> None:
    url = cloud.queue(f"secrets-{command}")
    cloud.send(url, "a message")
    home = {"HOME": str(tmp_path), "WATCHBOT_DATABASE": f"sqlite:///{tmp_path}/ecs.db"}

    for words in RUNS[command]:
        with_url = [url if word == "URL" else word for word in words]
        done = cloud.watchbot(command, *with_url, env={**SECRETS, **home})

        assert done.stdout + done.stderr or command == "healthcheck"
        assert PLANTED not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_no_file_keeps_a_secret(cloud: Cloud, tmp_path: Path) -> None:
    url = cloud.queue("secrets-files")
    cloud.send(url, "x" * 200_000)

    done = cloud.listen(
        url, f'cp -r "$MessageFile" "$WATCHBOT_SCRATCH" "{tmp_path}"', env={**SECRETS}
    )

    assert done.returncode == 0
    kept = subprocess.run(
        ["grep", "-rl", PLANTED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert kept.stdout == ""


def test_message_cannot_write_a_line_of_the_log(cloud: Cloud, tmp_path: Path) -> None:
    url = cloud.queue("forged-lines")
    forged = "[Sat, 21 Nov 2026 00:00:00 GMT] [watcher] stopped"
    cloud.send(url, f"a\r\n{forged}\n\x1b[2Jb\u2028c")

    alone = {"TMPDIR": str(tmp_path)}  # where no watcher was killed, which would be a line
    done = cloud.listen(url, "--log-bodies", "true", env=alone)

    assert forged not in done.stdout.splitlines()
    assert done.stdout.count("\n") == 4  # started, received, completed, stopped
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    assert "\u2028" not in done.stdout


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "PATH", "BASH_ENV", "BASH_FUNC_true%%", "WATCHBOT_QUEUE_URL"],
)
def test_attribute_sets_no_variable(cloud: Cloud, tmp_path: Path, name: str) -> None:
    url = cloud.queue("variables")
    value = {"DataType": "String", "StringValue": "/forged"}
    plain = name.replace("%%", "")  # what SQS lets through
    cloud.send(url, "--help", MessageAttributes={plain: value, "a.b": value})

    done = cloud.listen(url, f'env > "{tmp_path}/env"; echo "$Message"')

    assert done.returncode == 0
    variables = dict(
        line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line
    )
    carrying = {each for each, held in variables.items() if "/forged" in held}
    assert carrying == {"MessageAttributes"}
    assert set(json.loads(variables["MessageAttributes"])) == {plain, "a.b"}
    assert "[worker]" in done.stdout
    assert "--help" in done.stdout
