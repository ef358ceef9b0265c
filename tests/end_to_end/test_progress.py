"""`watchbot progress`, run as a program: what it prints, what it refuses, who is told."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from tests.cloud import BIN, Cloud
from tests.redis_server import PASSWORD, running_redis

PROCESSES = 24  # at once, as many as two processors bear
numbers = count(1)


@pytest.fixture(scope="module")
def table(cloud: Cloud) -> str:
    return cloud.table("jobs")


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with running_redis() as url:
        yield url


class Shell:
    """A worker's shell, with its variables."""

    def __init__(self, cloud: Cloud, place: str) -> None:
        self.cloud, self.env = cloud, {"ProgressTable": place}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.cloud.watchbot("progress", *words, env=self.env)

    def says(self, *words: str) -> Any:
        """What it prints, parsed."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout) if done.stdout else None


@pytest.fixture(params=["dynamodb", "redis"])
def shell(request: pytest.FixtureRequest, cloud: Cloud) -> Shell:
    place = {"dynamodb": "table", "redis": "redis"}[request.param]
    return Shell(cloud, request.getfixturevalue(place))


@pytest.fixture
def job() -> str:
    return f"job-{next(numbers)}"


def test_life_of_a_job(shell: Shell, job: str) -> None:
    assert shell.says("set-total", job, "--total", "4", "--ttl", "3600") is None
    assert shell.says("set-metadata", job, "-m", '{"name": "x"}') is None
    assert shell.says("complete-part", job, "-p", "1") is False
    assert shell.says("status", job, "--part", "1") == {
        "progress": 0.25,
        "metadata": {"name": "x"},
        "partComplete": True,
    }
    assert shell.run("pending", job).stdout == "2\n3\n4\n"
    assert shell.says("pending", job, "--array") == [2, 3, 4]
    assert [shell.says("complete-part", job, "--part", part) for part in "2344"] == [
        False, False, True, False,
    ]  # fmt: skip
    assert shell.says("reduce-sent", job) is None
    assert shell.says("info", job) == {
        "jobid": job,
        "progress": 1,
        "metadata": {"name": "x"},
        "reduceSent": True,
        "total": 4,
        "remaining": 0,
    }


def test_failed_job(shell: Shell, job: str) -> None:
    shell.says("set-total", job, "-t", "1")

    assert shell.says("fail-job", job, "-r", "no input") is None

    assert shell.says("complete-part", job, "-p", "1") is False
    assert shell.says("status", job) == {"progress": 1, "failed": "no input"}


def test_jobs_are_listed(shell: Shell, job: str) -> None:
    shell.says("set-total", job, "-t", "1")
    shell.says("set-total", f"{job}-done", "-t", "1")
    shell.says("complete-part", f"{job}-done", "-p", "1")

    everything, open_ones = (
        {json.loads(line)["jobid"] for line in shell.run("ls", *words).stdout.splitlines()}
        for words in ([], ["--hide-completed"])
    )

    assert {job, f"{job}-done"} <= everything
    assert everything - open_ones >= {f"{job}-done"}
    assert job in open_ones


def test_many_processes_one_is_told(shell: Shell, job: str) -> None:
    parts = [str(part) for part in range(1, PROCESSES // 2 + 1)] * 2
    shell.says("set-total", job, "-t", str(PROCESSES // 2))

    with ThreadPoolExecutor(PROCESSES) as pool:
        told = list(pool.map(lambda part: shell.says("complete-part", job, "-p", part), parts))

    assert sorted(told) == [False] * (PROCESSES - 1) + [True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status", "nothing"], "'nothing': does not exist"),
        (["complete-part", "JOB", "-p", "5"], "has no part 5; its parts are 1 to 4"),
        (["complete-part", "JOB", "-p", "x"], "'x' is not a valid integer"),
        (["complete-part", "JOB"], "--part"),
        (["set-total", "JOB", "-t", "5"], "was begun with the parts 1 to 4"),
        (["set-total", "new", "-t", "0"], "a job has 1 to 10,000,000 parts, not 0"),
        (["set-metadata", "JOB", "-m", "{"], "--metadata: is not JSON"),
        (["fail-job", "JOB"], "--reason"),
        (["status"], "JOB"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(cloud: Cloud, table: str, job: str, words: list[str], said: str) -> None:
    shell = Shell(cloud, table)
    shell.says("set-total", job, "-t", "4")

    done = shell.run(*[job if word == "JOB" else word for word in words])

    assert_refused(done, 2, said)
    assert shell.says("pending", job, "--array") == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ("", 2, "--progress-table (WATCHBOT_PROGRESS_TABLE, ProgressTable): is missing"),
        ("a table", 2, "must be the name or ARN of a DynamoDB table, or redis://"),
        ("no-such-table", 1, "ResourceNotFoundException"),
        ("redis://:s3cret-w0rd@127.0.0.1:9/0", 1, "database redis://127.0.0.1:9/0: "),
        ("redis://:s3cret-w0rd@127.0.0.1:x/0", 2, "must be like redis://HOST:6379/0"),
    ],
    ids=["none", "bad", "no table", "no server", "bad port"],
)
def test_bad_place(cloud: Cloud, place: str, code: int, said: str) -> None:
    done = Shell(cloud, place).run("status", "job")

    assert_refused(done, code, said)
    assert PASSWORD not in done.stderr


def test_access_is_denied(cloud: Cloud, table: str) -> None:
    with cloud.guarded():
        done = Shell(cloud, table).run("status", "job")

    assert_refused(done, 1, "IAM policy")


def test_old_name_and_old_flag(cloud: Cloud, table: str, job: str) -> None:
    done = subprocess.run(
        [str(BIN / "watchbot-progress"), "set-total", job, "-t", "2", "-d", table],
        env=cloud.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Shell(cloud, table).says("status", job) == {"progress": 0}


def assert_refused(done: subprocess.CompletedProcess[str], code: int, said: str) -> None:
    (line,) = done.stderr.splitlines()
    assert line.startswith("watchbot: ")
    assert said in line
    assert (done.returncode, done.stdout) == (code, "")
