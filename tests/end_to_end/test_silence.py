"""A server that accepts and never answers: each command says so, and leaves in time."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cloud import BIN
from tests.support.silent import Silent, silent_server

TOPIC = "arn:aws:sns:us-east-1:123456789012:t"


@pytest.fixture
def silent() -> Iterator[Silent]:
    with silent_server() as server:
        yield server


def watchbot(silent: Silent, *words: str) -> subprocess.CompletedProcess[str]:
    """`Q` and `PORT` in the words stand for a queue of the server, and for its port."""
    places = {"Q": f"{silent.url}/123456789012/q"}
    given = [places.get(word, word.replace("PORT", str(silent.port))) for word in words]
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": silent.url,
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [str(BIN / "watchbot"), *given],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


TOOLS = {
    "send": (("send", "--queue-url", "Q", "hi"), "send_message_batch of SQS"),
    "topic": (("send", "--topic-arn", TOPIC, "hi"), "publish_batch of SNS"),
    "dead-letter": (("dead-letter", "list", "--queue-url", "Q"), "of SQS"),
    "doctor": (("doctor", "--queue-url", "Q"), "get_queue_attributes of SQS"),
    "progress": (("progress", "status", "--progress-table", "table", "job"), "of DynamoDB"),
}
IMPORT = ("schedule", "import", "--source", "s3://b/x", "--database", "sqlite:///STORE")
AS_JSON = ("doctor", "--json", "--queue-url", "Q")

Ended = tuple[Silent, subprocess.CompletedProcess[str]]


def in_silence(words: tuple[str, ...]) -> Ended:
    """How a command ended, and the server of its own that it asked."""
    with silent_server() as silent:
        return silent, watchbot(silent, *words)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    """How those that wait for 20 seconds ended; all of them wait at once."""
    store = str(tmp_path_factory.mktemp("import") / "jobs.db")
    into = tuple(word.replace("STORE", store) for word in IMPORT)
    asked = {name: words for name, (words, _) in TOOLS.items()} | {"import": into, "json": AS_JSON}
    with ThreadPoolExecutor(len(asked)) as threads:
        return dict(zip(asked, threads.map(in_silence, asked.values()), strict=True))


@pytest.mark.parametrize("name", TOOLS)
def test_tool_says_what_it_waits_for_and_gives_up_after_two_tries(
    ended: Mapping[str, Ended], name: str
) -> None:
    (silent, done), what = ended[name], TOOLS[name][1]

    assert done.returncode == 1
    said, problem = done.stderr.splitlines()[:1] + done.stderr.splitlines()[-1:]
    assert said.startswith("watchbot: waiting for ")
    assert f"{what} (127.0.0.1:{silent.port})" in said or what in said
    assert "no answer in 20 s; check the network" in problem
    assert done.stderr.count("waiting for") == 1
    assert 1 <= silent.connections <= 3  # the last of them is cut short


def test_import_gives_up_too(ended: Mapping[str, Ended]) -> None:
    _, done = ended["import"]

    assert done.returncode == 1
    assert "watchbot: waiting for list_objects_v2 of S3" in done.stderr
    assert "no answer in 20 s" in done.stderr


def test_record_that_does_not_answer_is_named(silent: Silent) -> None:
    done = watchbot(silent, "tasks", "running", "--database", "postgresql://u@127.0.0.1:PORT/d")

    assert done.returncode == 1
    assert "watchbot: waiting for the database\n" in done.stderr
    assert "check that it runs, and its URL" in done.stderr


def test_redis_that_does_not_answer_is_named(silent: Silent) -> None:
    table = "redis://127.0.0.1:PORT/0"

    done = watchbot(silent, "progress", "status", "--progress-table", table, "job")

    assert done.returncode == 1
    assert f"watchbot: waiting for Redis (redis://127.0.0.1:{silent.port}/0)\n" in done.stderr


def test_doctor_says_it_as_json_where_it_was_asked_to(ended: Mapping[str, Ended]) -> None:
    _, done = ended["json"]

    assert done.returncode == 1
    assert "no answer in 20 s" in json.loads(done.stdout)[0]["what"]


@pytest.mark.parametrize(("give_up_s", "tries"), [("0", 1), ("6", 2)])
def test_watcher_leaves_when_its_time_is_over(silent: Silent, give_up_s: str, tries: int) -> None:
    done = watchbot(silent, "listen", "--queue-url", "Q", "--give-up-after", give_up_s, "true")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("watchbot: SQS get_queue_attributes failed")
    assert silent.connections == tries
