"""`watchbot local`: what a newcomer sees, and that it leaves cleanly."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.programs import read_until


@pytest.mark.parametrize("options", [[], ["--fifo"]], ids=["standard", "fifo"])
@pytest.mark.parametrize("sender", ["aws", "watchbot send"])
def test_pasted_lines_send_a_message(
    cloud: Cloud, tmp_path: Path, sender: str, options: list[str]
) -> None:
    with cloud.started("local", *options, 'echo "got $Message"; exit 3') as watcher:
        guide = read_until(watcher, "Ctrl-C")
        exports = re.findall(r"^  (export .*)$", guide, re.M)
        (line,) = re.findall(rf"^  ({sender} .*)$", guide, re.M)
        bare = {"PATH": cloud.environment["PATH"], "HOME": str(tmp_path)}

        script = "\n".join([*exports, line])
        subprocess.run(["sh", "-ec", script], env=bare, check=True, capture_output=True)

        said = read_until(watcher, "^    Message: hello")
        assert "got hello" in said
        assert "--- notification: watchbot: rejected (exit code 3)" in said


def test_without_a_command_messages_wait_for_whoever_takes_them(
    cloud: Cloud, tmp_path: Path
) -> None:
    with cloud.started("local") as server:
        guide = read_until(server, "Ctrl-C")
        exports = re.findall(r"^  (export .*)$", guide, re.M)
        script = "\n".join(
            [
                *exports,
                "watchbot send hello",
                "watchbot listen --exit-when-empty --poll-wait 1 'echo \"got $Message\"'",
            ]
        )
        bare = {"PATH": cloud.environment["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run(
            ["sh", "-ec", script], env=bare, check=True, capture_output=True, text=True
        )
        server.send_signal(signal.SIGINT)

        assert "got hello" in done.stdout
        assert server.wait(timeout=30) == 0


def test_ctrl_c_leaves_at_once_and_clean(cloud: Cloud) -> None:
    with cloud.started("local", "--send", "x", "echo up; sleep 60") as watcher:
        read_until(watcher, r"\] up")

        watcher.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert watcher.stdout is not None
        rest = watcher.stdout.read()

        assert watcher.wait(timeout=30) == 0
        assert time.monotonic() - began < 30  # not the minute that the worker would take
        assert "released" in rest
        assert "Traceback" not in rest


def test_messages_are_published_through_the_topic(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("two\nthree\n")

    done = cloud.watchbot(
        "local", "--exit-when-empty", "--poll-wait", "1", "--concurrency", "2",
        "--send", "one", "--send-file", str(tmp_path / "lines"), 'echo "<$Message $TopicArn>"',
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    topic = "arn:aws:sns:us-east-1:123456789012:watchbot"
    assert sorted(re.findall(r"<.*>", done.stdout)) == [
        f"<{word} {topic}>" for word in ("one", "three", "two")
    ]


def test_metrics_stay_on_this_machine(cloud: Cloud) -> None:
    with cloud.started("local", "--metrics-port", "0", "true") as watcher:
        said = read_until(watcher, "serving metrics")

    assert "url=http://127.0.0.1:" in said


def test_workers_talk_to_the_embedded_aws_too(cloud: Cloud) -> None:
    done = cloud.watchbot(
        "local", "--exit-when-empty", "--poll-wait", "1", "--send", "x",
        "python3", "-c", "import boto3; print(len(boto3.client('sqs').list_queues()['QueueUrls']))",
    )  # fmt: skip

    assert re.search(r"\] 3$", done.stdout, re.M), done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such-command-here"], "no such command"),
        (["--send-file", "/no/such", "true"], "--send-file (WATCHBOT_SEND_FILE): '/no/such'"),
        (["--port", "99999", "true"], "--port"),
    ],
)
def test_bad_input_is_one_line(cloud: Cloud, words: list[str], said: str) -> None:
    done = cloud.watchbot("local", *words)

    assert done.returncode == 2
    assert done.stderr.startswith("watchbot: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_port_in_use_is_said(cloud: Cloud) -> None:
    done = cloud.watchbot("local", "--port", cloud.url.rpartition(":")[2], "true")

    assert done.returncode == 2
    assert "--port (WATCHBOT_PORT)" in done.stderr
    assert done.stderr.count("\n") == 1
