"""Bad input: one line that says what is wrong, the exit code, no traceback, nothing touched."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.programs import NOTHING_LISTENS, assert_refused


@pytest.fixture(scope="module")
def queue(cloud: Cloud) -> str:
    """A queue with one message, that must be untouched after every test."""
    url = cloud.queue("untouched")
    cloud.send(url, "keep me")
    return url


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--concurrency", "0"], ["--concurrency", "WATCHBOT_CONCURRENCY", "at least 1"]),
        (["--concurrency", "-1"], ["--concurrency", "at least 1"]),
        (["--concurrency", "many"], ["--concurrency", "'auto'", "'many'"]),
        (["--volumes", "/no/such"], ["--volumes", "Volumes", "/no/such"]),
        (["--volumes", "/"], ["--volumes", "'/'"]),
        (["--notification-topic", "topic"], ["--notification-topic", "arn:aws:sns"]),
        (["--poll-wait", "21"], ["--poll-wait", "at most 20"]),
        (["--kill-grace", "-1"], ["--kill-grace", "must be at least 0, not -1"]),
        (["--visibility-timeout", "0"], ["--visibility-timeout", "at least 1"]),
        (["--max-job-duration", "soon"], ["--max-job-duration", "maxJobDuration", "number"]),
        (["--endpoint-url", "here"], ["--endpoint-url", "'here'"]),
        (["--no-such-option"], ["--no-such-option"]),
        (
            ["--queue-ulr"],
            ["did you mean one of '--queue-order', '--queue-url'; see watchbot listen --help"],
        ),
        (["--reject-codes", "0-3"], ["--reject-codes", "0, which completes a message"]),
        (["--return-codes", "4;5"], ["--return-codes", "such as 3,64-78", "'4;5'"]),
        (["--return-codes", "3-5"], ["--return-codes", "holds 3, which --reject-codes has"]),
        (["--reject-codes", "300"], ["--reject-codes", "from 1 to 255"]),
        (["--checkpoints", "s3://bucket"], ["--checkpoints", "dynamodb://TABLE"]),
        (["--checkpoints", "file:///no/such"], ["--checkpoints", "'/no/such' is no directory"]),
        (["--metrics-port", "99999"], ["--metrics-port", "65535"]),
        (["--metrics-port", "0", "--metrics-host", "a..b"], ["--metrics-port", "a..b", "no name"]),
        (["--endpoint-url", "http://[x"], ["--endpoint-url", "must be a URL, like"]),
        (["--endpoint-url", "http://h:65536"], ["--endpoint-url", "must be a URL, like"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_bad_option(cloud: Cloud, queue: str, options: list[str], said: list[str]) -> None:
    done = cloud.watchbot("listen", "--queue-url", queue, *options, "true")

    assert_refused(done, 2, *said)
    assert cloud.depth(queue) == (1, 0)


def test_table_of_checkpoints_that_does_not_exist(cloud: Cloud, queue: str) -> None:
    options = ("--queue-url", queue, "--checkpoints", "dynamodb://no-such-table")

    done = cloud.watchbot("listen", *options, "true")

    assert_refused(done, 1, "DynamoDB", "get_item")
    assert cloud.depth(queue) == (1, 0)


def test_command_of_watchbot_that_is_misspelt(cloud: Cloud) -> None:
    done = cloud.watchbot("lisen", "true")

    assert_refused(done, 2, "No such command 'lisen'; did you mean 'listen'; see watchbot --help")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "COMMAND is missing"),
        (["no-such-command-here"], "no such command"),
        (["./no/such/file"], "no such file"),
        (["/etc/passwd"], "not executable"),
        (["/tmp"], "directory"),
        (["watchbot", "listen", "true"], "it is a watcher, and would never end; give"),
        (["watchbot", "record"], "`watchbot record` is a service, and would never end; give"),
        (["cd /; watchbot schedule"], "run `watchbot schedule` in a container of its own"),
        (["exec watchbot listen true"], "without `watchbot listen`"),
        (["--shell", "cd /;", "env", "A=b", "watchbot", "listen", "true"], "it is a watcher"),
    ],
    ids=lambda value: " ".join(value),
)
def test_command_that_cannot_run(cloud: Cloud, queue: str, words: list[str], said: str) -> None:
    done = cloud.watchbot("listen", "--queue-url", queue, *words)

    assert_refused(done, 2, said)
    assert cloud.depth(queue) == (1, 0)


def test_links_that_lead_in_a_circle(cloud: Cloud, queue: str, tmp_path: Path) -> None:
    (tmp_path / "work.sh").symlink_to(tmp_path / "run.sh")
    (tmp_path / "run.sh").symlink_to(tmp_path / "work.sh")

    done = cloud.watchbot("listen", "--queue-url", queue, str(tmp_path / "work.sh"))

    assert_refused(done, 2, "its links lead in a circle; mend the link that leads back")
    assert cloud.depth(queue) == (1, 0)


@pytest.mark.parametrize(
    "words",
    [
        ["record", "postgresql://me:s3cret@database/x"],
        ["doctor", "s3cret-Token"],
        ["top", "--url", "redis://:s3cret@cache/0", "--interval", "no", "S3CRET=s3cret"],
    ],
    ids=" ".join,
)
def test_stray_word_is_refused_and_its_password_kept(cloud: Cloud, words: list[str]) -> None:
    done = cloud.watchbot(*words)

    assert done.returncode == 2
    assert "s3cret" not in (done.stdout + done.stderr).lower()
    assert done.stderr.count("\n") == 1


def test_queue_url_is_missing(cloud: Cloud) -> None:
    assert_refused(
        cloud.watchbot("listen", "true"), 2, "--queue-url", "WATCHBOT_QUEUE_URL", "QueueUrl"
    )


@pytest.mark.parametrize("form", ["--queue-url {}", "--queue-url={}"])
def test_queue_url_stands_behind_the_command(cloud: Cloud, queue: str, form: str) -> None:
    done = cloud.watchbot("listen", "true", *form.format(queue).split())

    assert_refused(done, 2, "--queue-url", "put it before COMMAND")


def test_queue_url_is_none(cloud: Cloud) -> None:
    assert_refused(cloud.watchbot("listen", "--queue-url", "my-queue", "true"), 2, "'my-queue'")


def test_queue_does_not_exist(cloud: Cloud) -> None:
    url = f"{cloud.url}/123456789012/nowhere"

    assert_refused(cloud.watchbot("listen", "--queue-url", url, "true"), 1, "does not exist")


def test_endpoint_is_down(cloud: Cloud, queue: str) -> None:
    words = ("--queue-url", queue, "--endpoint-url", NOTHING_LISTENS, "--give-up-after", "1")
    done = cloud.watchbot("listen", *words, "true")

    assert_refused(done, 1, NOTHING_LISTENS, "AWS_ENDPOINT_URL")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "credentials"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "AWS_REGION"),
    ],
    ids=["credentials", "region"],
)
def test_aws_is_not_configured(
    cloud: Cloud, queue: str, missing: Mapping[str, str], said: str
) -> None:
    alone = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/no/such", **missing}

    done = cloud.watchbot("listen", "--queue-url", queue, "true", env=alone)

    assert_refused(done, 2, said)
    assert cloud.depth(queue) == (1, 0)


def test_table_without_credentials(cloud: Cloud) -> None:
    alone = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/no/such"}
    missing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}

    done = cloud.watchbot("schedule", "--database", "dynamodb://t", env={**alone, **missing})

    assert_refused(done, 2, "Unable to locate credentials; set AWS_PROFILE")


def test_access_is_denied(cloud: Cloud, queue: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    with cloud.guarded():
        done = cloud.watchbot("listen", "--queue-url", queue, f"touch {ran}")

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "InvalidClientTokenId" in line
    assert "IAM policy" in line
    assert not ran.exists()
    assert cloud.depth(queue) == (1, 0)


def test_metrics_port_is_taken(cloud: Cloud, queue: str) -> None:
    taken = cloud.url.rpartition(":")[2]

    done = cloud.watchbot(
        "listen", "--queue-url", queue, "--metrics-host", "127.0.0.1",
        "--metrics-port", taken, "true",
    )  # fmt: skip

    assert_refused(done, 2, "--metrics-port", taken)
    assert cloud.depth(queue) == (1, 0)
