"""`watchbot send` for later: with SQS's own delay, and through a scheduler that runs."""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from tests.support.cloud import Cloud, running_cloud
from tests.support.inside import Done, run
from tests.support.programs import read_until

TOKEN = "only-for-the-scheduler"
FAR = "2190-01-01T00:00:00.25Z"
SHOW = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def calls_go_to_the_cloud(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)


class Scheduler:
    """A `watchbot schedule` that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = re.findall(r"url=(\S+)", read_until(process, "serving the API"))[-1]

    def send(self, *words: str) -> Done:
        return run("send", "--scheduler-url", self.url, "--token", TOKEN, *words)

    def job(self, name: str) -> requests.Response:
        return requests.get(f"{self.url}/v1/jobs/{name}", headers=SHOW, timeout=10)


@pytest.fixture(scope="module")
def scheduler(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    database = f"sqlite:///{tmp_path_factory.mktemp('later')}/schedule.db"
    words = ("schedule", "--port", "0", "--database", database, "--token", TOKEN)
    with cloud.started(*words) as process:
        yield Scheduler(process)


def counted(cloud: Cloud, queue: str) -> tuple[str, str]:
    """The messages that are visible, and those that are delayed, as the `aws` command says."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
    found = cloud.aws(
        *("sqs", "get-queue-attributes", "--queue-url", queue, "--attribute-names", *names)
    )
    visible, delayed = (found["Attributes"][name] for name in names)
    return visible, delayed


def test_sqs_holds_messages_back(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("delayed")
    (tmp_path / "lines").write_text("a\nb\n")

    done = run("send", "--queue-url", queue, "--delay", "900", "--file", str(tmp_path / "lines"))
    soon = run("send", "--queue-url", queue, "--at", "10m", "c")

    assert (done.code, done.err, soon.code, soon.err) == (0, "", 0, "")
    assert counted(cloud, queue) == ("0", "3")


def test_no_delay_wins_over_the_delay_of_the_queue(cloud: Cloud) -> None:
    queue = cloud.queue("slow", DelaySeconds="900")

    run("send", "--queue-url", queue, "as the queue has it")
    run("send", "--queue-url", queue, "--delay", "0", "now")

    assert [message["Body"] for message in cloud.take_all(queue)] == ["now"]


def test_attributes_of_every_type_and_a_fair_group(cloud: Cloud) -> None:
    queue = cloud.queue("typed")
    given = ["s=text", "n:Number=-1.5e3", "b:Binary=AP8=", "i:Number.int=7", "p:Binary.png=AA=="]
    words = [word for each in [*given, "l:String.list=[1]"] for word in ("--attribute", each)]

    done = run(
        "send",
        "--queue-url",
        queue,
        "--message-group-id",
        "tenant-7",
        *words,
        "x",
    )

    assert (done.code, done.err) == (0, "")
    [message] = cloud.aws(
        *("sqs", "receive-message", "--queue-url", queue, "--message-attribute-names", "All"),
        *("--message-system-attribute-names", "All"),
    )["Messages"]
    assert message["Attributes"]["MessageGroupId"] == "tenant-7"
    found = message["MessageAttributes"]
    assert {name: each["DataType"] for name, each in found.items()} == {
        "s": "String",
        "n": "Number",
        "b": "Binary",
        "i": "Number.int",
        "p": "Binary.png",
        "l": "String.list",
    }
    assert (found["i"]["StringValue"], found["p"]["BinaryValue"]) == ("7", "AA==")


def test_time_that_is_far_is_refused_without_a_scheduler(cloud: Cloud) -> None:
    queue = cloud.queue("unkept")

    done = run("send", "--queue-url", queue, "--at", FAR, "x")

    assert (done.code, done.out) == (2, "")
    assert "at most 15 minutes; name the `watchbot schedule` that sends it then" in done.err
    assert "--scheduler-url (WATCHBOT_SCHEDULER_URL)" in done.err
    assert counted(cloud, queue) == ("0", "0")


def test_scheduler_keeps_each_line_until_its_time(
    cloud: Cloud, scheduler: Scheduler, tmp_path: Path
) -> None:
    queue = cloud.queue("kept")
    (tmp_path / "lines").write_text("a\nb\n")

    done = scheduler.send(
        *("--queue-url", queue, "--at", FAR, "--subject", "S", "--group-id", "g"),
        *("--attribute", "n:Number=3", "--file", str(tmp_path / "lines")),
    )

    assert done.code == 0
    assert re.fullmatch(
        r"watchbot: http://\S+ sends it at 2190-01-01T00:00:00.250Z; .*\n", done.err
    )
    jobs = [scheduler.job(name).json() for name in done.out.split()]
    assert [job["schedule"] for job in jobs] == ["at(2190-01-01T00:00:01)"] * 2
    assert jobs[1]["nextFires"] == ["2190-01-01T00:00:01.000Z"]
    assert jobs[1]["target"] == {
        "type": "sqs",
        "queueUrl": queue,
        "message": '{"Subject": "S", "Message": "b"}',
        "groupId": "g",
        "attributes": {"n": {"type": "Number", "value": "3"}},
    }
    assert counted(cloud, queue) == ("0", "0")


def test_scheduler_sends_it_and_forgets_the_job(cloud: Cloud, scheduler: Scheduler) -> None:
    queue = cloud.queue("soon")
    topic = cloud.topic("soon", queue, raw=True)

    done = scheduler.send("--topic-arn", topic, "--at", "1s", "--attribute", "n:Number=3", "x")
    asked_at = datetime.now(UTC).timestamp()

    assert done.code == 0
    read_until(scheduler.process, f"job removed.* job={done.out.strip()}")
    [message] = cloud.take_all(queue)
    assert message["Body"] == "x"
    assert message["MessageAttributes"]["n"]["StringValue"] == "3"
    assert int(message["Attributes"]["SentTimestamp"]) / 1000 >= asked_at
    assert scheduler.job(done.out.strip()).status_code == 404
    [told] = requests.get(
        f"{scheduler.url}/v1/jobs/{done.out.strip()}/runs", headers=SHOW, timeout=10
    ).json()["runs"]
    assert told["status"] == "started"


MANY = [word for number in range(8) for word in ("--attribute", f"a{number}=1")]


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["--token", "wrong", "x"], 1, "scheduler POST /v1/jobs failed: 401: .*; check --token"),
        (["--subject", "ü", "x"], 1, "not sent: scheduler: 400: .*subject"),
        (["a" * 70_000], 1, "not sent: scheduler: 413: "),
        ([*MANY, "x"], 2, "at most 7, not 8"),
    ],
)
def test_what_a_scheduler_does_not_keep_is_told(
    cloud: Cloud, scheduler: Scheduler, words: list[str], code: int, problem: str
) -> None:
    done = scheduler.send("--topic-arn", cloud.topic("refused"), "--at", FAR, *words)

    assert (done.code, done.out) == (code, "")
    assert re.search(problem, done.err)
    assert done.err.count("\n") == 1
    assert TOKEN not in done.err


def test_deduplication_of_five_minutes_is_refused(cloud: Cloud, scheduler: Scheduler) -> None:
    fifo = ("--queue-url", cloud.queue("far.fifo"), "--group-id", "g", "--dedup-id", "d")

    done = scheduler.send(*fifo, "--at", "1m", "x")

    assert (done.code, done.out) == (2, "")
    assert "--dedup-id" in done.err
    assert "the scheduler sends it later" in done.err
