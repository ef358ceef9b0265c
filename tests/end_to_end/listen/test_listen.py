"""A real `watchbot listen`, a real queue protocol, messages from independent clients."""

import json
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.everywhere import each_message_runs_once


def test_each_of_500_messages_runs_exactly_once(cloud: Cloud, tmp_path: Path) -> None:
    each_message_runs_once(cloud, tmp_path, messages=500, workers=16)


def test_heartbeat_keeps_a_long_job_ours(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("long"), tmp_path / "ledger"
    cloud.send(queue, "x")

    done = cloud.listen(
        queue, "--visibility-timeout", "1", "--concurrency", "2",
        f"echo ran >> {ledger}; sleep 3.5"
    )  # fmt: skip

    assert done.returncode == 0
    assert ledger.read_text().split() == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_writable_filesystem_leaves_after_one_job(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("writable"), tmp_path / "ledger"
    cloud.send_many(queue, ["a", "b", "c"])

    done = cloud.listen(
        queue, "--writable-filesystem", "--concurrency", "4", f"echo $Message >> {ledger}"
    )

    assert done.returncode == 0
    assert len(ledger.read_text().split()) == 1
    assert cloud.depth(queue) == (2, 0)


def test_volumes_and_scratch_are_empty_for_the_next_job(cloud: Cloud, tmp_path: Path) -> None:
    queue, volume = cloud.queue("clean"), tmp_path / "volume"
    volume.mkdir()
    cloud.send_many(queue, ["a", "b", "c"])

    done = cloud.listen(
        queue, "--volumes", str(volume),
        f"echo found=$(ls -A {volume} $TMPDIR | grep -v -e : -e '^.control$' | tr -d '\\n'); "
        f"mkdir {volume}/d; touch {volume}/d/f {volume}/.h $WATCHBOT_SCRATCH/s; "
        f"chmod 0 {volume}/d; echo $WATCHBOT_SCRATCH > {tmp_path}/scratch",
    )  # fmt: skip

    assert done.returncode == 0
    assert done.stdout.count("] found=\n") == 3
    assert list(volume.iterdir()) == []
    scratch = Path((tmp_path / "scratch").read_text().strip())
    assert not scratch.exists()
    assert not scratch.parent.exists()


@pytest.mark.parametrize("below", [".", "deep/below"])
def test_volume_may_hold_the_scratch_directories(cloud: Cloud, tmp_path: Path, below: str) -> None:
    queue, volume = cloud.queue(f"tmp-{len(below)}"), tmp_path / "tmp"
    (volume / below).mkdir(parents=True)
    cloud.send_many(queue, ["a", "b"])

    done = cloud.listen(
        queue, "--volumes", str(volume),
        f"ls -A {volume}; touch {volume}/left $WATCHBOT_SCRATCH/left",
        env={"TMPDIR": str(volume / below)},
    )  # fmt: skip

    assert done.stdout.count("completed") == 2
    assert "left" not in done.stdout
    assert "not cleaned" not in done.stdout


def test_words_reach_the_command_unchanged(cloud: Cloud) -> None:
    queue = cloud.queue("words")
    cloud.send(queue, "x")
    words = ["two  spaces", "$Message", "'", '"', "*", "--queue-url", ""]

    done = cloud.listen(
        queue, "python3", "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", *words
    )

    assert json.dumps(words) in done.stdout


def test_shell_option_joins_the_words_as_ecs_watchbot_did(cloud: Cloud) -> None:
    queue = cloud.queue("shell")
    cloud.send(queue, "x")

    done = cloud.listen(queue, "--shell", "echo", "[$Message]", "|", "tr", "x", "y")

    assert "[y]" in done.stdout


def test_old_variable_names_set_the_options(cloud: Cloud) -> None:
    queue = cloud.queue("old-names")
    cloud.send(queue, "x")

    done = cloud.watchbot(
        "listen", "echo", "hello",
        env={
            "QueueUrl": queue,
            "writableFilesystem": "true",
            "structuredLogging": "true",
            "maxJobDuration": "5",
        },
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (hello,) = [line for line in lines if line["msg"] == "hello"]
    assert hello["watchbot_sqs_message_id"]
    assert hello["level"] == 30


@pytest.mark.parametrize("kept_back", [False, True])
def test_worker_credentials_can_be_left_out(cloud: Cloud, kept_back: bool) -> None:
    queue = cloud.queue("credentials")
    cloud.send(queue, "x")
    planted = {
        "AWS_ACCESS_KEY_ID": "planted-id",
        "AWS_SECRET_ACCESS_KEY": "planted-secret",
        "AWS_SESSION_TOKEN": "planted-token",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/planted",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/planted",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "planted-authorization",
    }
    option = ["--no-worker-credentials"] if kept_back else []

    done = cloud.listen(queue, *option, "env", env=planted)

    assert "MessageId=" in done.stdout
    assert "AWS_REGION=" in done.stdout  # where AWS is, is no secret
    assert done.stdout.count("planted") == (0 if kept_back else len(planted))
