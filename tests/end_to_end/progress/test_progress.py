"""`watchbot progress`, run as a program: what it prints, what it refuses, who is told."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.redis_server import PASSWORD, running_redis
from watchbot.extras import how_to_add
from watchbot.progress import Progress

PROCESSES = 12  # at once, as many as two processors bear
numbers = count(1)


@pytest.fixture(scope="module")
def table(cloud: Cloud) -> str:
    return cloud.table("jobs")


@pytest.fixture
def job() -> str:
    return f"job-{next(numbers)}"


class Shell:
    """A worker's shell, with its variables."""

    def __init__(self, cloud: Cloud, place: str) -> None:
        self.cloud, self.env = cloud, {"ProgressTable": place}
        self.progress = Progress(progress_table=place or None, endpoint_url=cloud.url)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.cloud.watchbot("progress", *words, env=self.env)

    def says(self, *words: str) -> Any:
        """The parsed output of the command."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def shell(cloud: Cloud, table: str) -> Shell:
    return Shell(cloud, table)


def test_life_of_a_job(shell: Shell, job: str) -> None:
    assert shell.says("set-total", job, "--total", "2", "--ttl", "3600") is None
    assert shell.says("set-metadata", job, "-m", '{"name": "x"}') is None
    assert shell.says("complete-part", job, "-p", "1") is False
    assert shell.says("status", job, "--part", "1") == {
        "progress": 0.5,
        "metadata": {"name": "x"},
        "partComplete": True,
    }
    assert shell.says("complete-part", job, "--part", "2") is True
    assert shell.says("complete-part", job, "--part", "2") is False
    assert shell.says("reduce-sent", job) is None
    assert shell.says("info", job) == {
        "jobid": job,
        "progress": 1,
        "metadata": {"name": "x"},
        "reduceSent": True,
        "total": 2,
        "remaining": 0,
    }


def test_life_of_a_job_in_redis(cloud: Cloud) -> None:
    with running_redis() as url:
        shell = Shell(cloud, url)

        assert shell.says("set-total", "job", "-t", "1") is None
        assert shell.says("complete-part", "job", "-p", "1") is True
        assert shell.says("ls")["progress"] == 1


@pytest.mark.parametrize(
    ("done", "said"), [(0, '{"progress":0}'), (1, '{"progress":0.25}'), (4, '{"progress":1}')]
)
def test_status_is_written_as_of_old(shell: Shell, job: str, done: int, said: str) -> None:
    shell.progress.set_total(job, 4)
    for part in range(1, done + 1):
        shell.progress.complete_part(job, part)

    assert shell.run("status", job).stdout == f"{said}\n"


def test_failed_job(shell: Shell, job: str) -> None:
    shell.progress.set_total(job, 1)

    assert shell.says("fail-job", job, "-r", "no input") is None

    assert shell.says("complete-part", job, "-p", "1") is False
    assert shell.progress.status(job) == {"progress": 1, "failed": "no input"}


def test_pending_parts(shell: Shell, job: str) -> None:
    shell.progress.set_total(job, 4)
    shell.progress.complete_part(job, 1)

    assert shell.run("pending", job).stdout == "2\n3\n4\n"
    assert shell.says("pending", job, "--array") == [2, 3, 4]


def test_jobs_are_listed(shell: Shell, job: str) -> None:
    shell.progress.set_total(job, 1)
    shell.progress.set_total(f"{job}-done", 1)
    shell.progress.complete_part(f"{job}-done", 1)

    everything, unfinished = (
        {json.loads(line)["jobid"] for line in shell.run("ls", *words).stdout.splitlines()}
        for words in ([], ["--hide-completed"])
    )

    assert {job, f"{job}-done"} <= everything
    assert {job, f"{job}-done"} & unfinished == {job}


def test_many_processes_one_is_told(shell: Shell, job: str) -> None:
    parts = [str(part) for part in range(1, PROCESSES // 2 + 1)] * 2
    shell.progress.set_total(job, PROCESSES // 2)

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
def test_bad_input(shell: Shell, job: str, words: list[str], said: str) -> None:
    shell.progress.set_total(job, 4)

    done = shell.run(*[job if word == "JOB" else word for word in words])

    assert_refused(done, 2, said)
    assert shell.progress.status(job) == {"progress": 0}


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
    done = cloud.watchbot("progress", "status", "job", env={"ProgressTable": place})

    assert_refused(done, code, said)
    assert PASSWORD not in done.stderr


def test_access_is_denied(cloud: Cloud, shell: Shell) -> None:
    with cloud.guarded():
        done = shell.run("status", "job")

    assert_refused(done, 1, "IAM policy")


def test_old_name_and_old_flag(cloud: Cloud, table: str, job: str) -> None:
    done = subprocess.run(
        [str(BIN / "watchbot-progress"), "set-total", job, "-t", "2", "-d", table],
        env=cloud.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Shell(cloud, table).progress.status(job) == {"progress": 0}


def assert_refused(done: subprocess.CompletedProcess[str], code: int, said: str) -> None:
    (line,) = done.stderr.splitlines()
    assert line.startswith("watchbot: ")
    assert said in line
    assert (done.returncode, done.stdout) == (code, "")


def test_missing_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['redis'] = None; from watchbot.cli import main; sys.exit(main())"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, "progress", "status", "job", "-d", "redis://127.0.0.1:9/0"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert_refused(done, 2, how_to_add("redis"))
