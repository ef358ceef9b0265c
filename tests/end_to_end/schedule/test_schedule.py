"""`watchbot schedule`, as a user runs it, on moto's ECS, SNS and SQS."""

import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from tests.support.cloud import REGION, Cloud
from tests.support.gate import Refuse, running_gate
from tests.support.postgres import running_postgres
from tests.support.programs import assert_refused, read_until

EVERY_SECOND = {"schedule": "* * * * * *", "dialect": "cron"}


@pytest.fixture(scope="module")
def ecs(cloud: Cloud) -> Iterator[Any]:
    client = boto3.client(
        "ecs",
        region_name=REGION,
        endpoint_url=cloud.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_cluster(clusterName="blue")
    client.register_task_definition(
        family="report", containerDefinitions=[{"name": "main", "image": "busybox", "memory": 64}]
    )
    yield client
    client.close()


@contextlib.contextmanager
def scheduling(
    cloud: Cloud, database: str, *options: str, env: dict[str, str] | None = None
) -> Iterator[tuple[Any, str, str]]:
    """The process, the URL of its API, and what it said until then."""
    words = ("schedule", "--port", "0", "--database", database, *options)
    with cloud.started(*words, env=env) as process:
        said = read_until(process, "serving the API")
        yield process, re.findall(r"url=(\S+)", said)[-1], said


def make(url: str, **fields: Any) -> None:
    made = requests.post(f"{url}/jobs", json={**EVERY_SECOND, **fields}, timeout=10)
    assert made.status_code == 201, made.text


def runs(url: str, job_id: str) -> list[dict[str, Any]]:
    found = requests.get(f"{url}/v1/jobs/{job_id}/runs?limit=1000", timeout=10)
    listed: list[dict[str, Any]] = found.json()["runs"]
    return listed


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/schedule.db"


def test_messages_to_a_topic_and_to_a_queue(cloud: Cloud, database: str) -> None:
    direct, subscribed = cloud.queue("direct"), cloud.queue("subscribed")
    topic = cloud.topic("ticks", subscribed)
    with scheduling(cloud, database) as (process, url, _):
        make(url, id="q", target={"type": "sqs", "queueUrl": direct, "message": "tick"})
        make(
            url,
            id="t",
            target={"type": "sns", "topicArn": topic, "subject": "s", "message": "tock"},
        )
        for _ in range(4):
            read_until(process, "run started")
        requests.delete(f"{url}/jobs/q", timeout=10)
        requests.delete(f"{url}/jobs/t", timeout=10)
        started = {job: [run["status"] for run in runs(url, job)] for job in "qt"}

    sent, told = cloud.take_all(direct), cloud.notices(subscribed)
    assert {message["Body"] for message in sent} == {"tick"}
    attributes = {
        name: attribute["StringValue"] for name, attribute in sent[0]["MessageAttributes"].items()
    }
    assert attributes["Job"] == attributes["WATCHBOT_JOB"] == "q"
    assert attributes["Cause"] == attributes["WATCHBOT_RUN_CAUSE"] == "schedule"
    assert attributes["DueAt"] == attributes["WATCHBOT_DUE_AT"]
    assert {(notice["Subject"], notice["Message"]) for notice in told} == {("s", "tock")}
    assert len(sent) == started["q"].count("started")
    assert len(told) == started["t"].count("started")


def test_tasks_of_fargate_and_their_last_run_survive_a_restart(
    cloud: Cloud, ecs: Any, database: str
) -> None:
    with scheduling(cloud, database, "--cluster", "blue") as (process, url, _):
        make(
            url,
            id="j",
            taskDefinition="report",
            taskCount=12,
            schedule="@yearly",
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        )
        asked = requests.post(f"{url}/v1/jobs/j/run", timeout=10)
        read_until(process, "run started")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    with scheduling(cloud, database, "--cluster", "blue") as (_, url, _):
        job = requests.get(f"{url}/jobs/j", timeout=10).json()
        (run,) = runs(url, "j")

    tasks = ecs.list_tasks(cluster="blue", family="report")["taskArns"]
    assert asked.status_code == 202
    assert {task["taskId"] for task in job["lastRunTasks"]} == set(tasks)
    assert len(tasks) == 12
    assert job["lastRun"]
    assert (run["cause"], run["status"], run["dueAt"]) == (
        "manual",
        "started",
        asked.json()["dueAt"],
    )


def test_failed_run_is_told_to_topic_and_dead_letter_queue(
    cloud: Cloud, ecs: Any, database: str
) -> None:
    dead, watched = cloud.queue("dead-runs"), cloud.queue("failures")
    topic = cloud.topic("failures", watched)
    assert ecs
    with scheduling(
        cloud, database, "--cluster", "blue", "--notification-topic", topic
    ) as (process, url, _):  # fmt: skip
        make(url, id="j", taskDefinition="nothing", retry={"deadLetterQueue": dead})
        read_until(process, "run failed")
        requests.put(f"{url}/jobs/j", json={"suspended": True}, timeout=10)
        run = runs(url, "j")[-1]

    (letter, *_), (notice, *_) = cloud.take_all(dead), cloud.notices(watched)
    assert '"job": "j"' in letter["Body"]
    assert notice["Subject"] == "watchbot schedule: j failed"
    assert run["status"] == "failed"
    assert "task definition" in run["reason"]


def test_throttled_notice_and_dead_letter_are_sent_again(
    cloud: Cloud, ecs: Any, database: str
) -> None:
    dead, watched = cloud.queue("dead-throttled"), cloud.queue("throttled")
    topic = cloud.topic("throttled", watched)
    assert ecs
    with running_gate(cloud.url) as gate:
        busy = Refuse(429, "ThrottlingException")
        once = {"SendMessageBatch": busy, "": busy}  # SNS names its operations elsewhere
        gate.rule = lambda operation, *_: once.pop(operation, None)
        options = ("--cluster", "blue", "--notification-topic", topic)
        with scheduling(cloud, database, *options, env={"AWS_ENDPOINT_URL": gate.url}) as (
            process,
            url,
            _,
        ):
            make(
                url,
                id="j",
                taskDefinition="nothing",
                retry={"deadLetterQueue": dead.replace(cloud.url, gate.url)},
            )
            said = read_until(process, "run failed")

    assert once == {}
    assert "failure not told" not in said
    (letter, *_), (notice, *_) = cloud.take_all(dead), cloud.notices(watched)
    assert '"job": "j"' in letter["Body"]
    assert notice["Subject"] == "watchbot schedule: j failed"


def test_old_variables_are_understood_and_named(cloud: Cloud, tmp_path: Path) -> None:
    old = {
        "ECSS_ECS_CLUSTER": "{COLOUR}",
        "COLOUR": "blue",
        "ECSS_SQLITE_FILE": f"{tmp_path}/old.db",
        "ECSS_LOG_LEVEL": "DEBUG",
    }
    with cloud.started("schedule", "--port", "0", env=old) as process:
        said = read_until(process, "serving the API")

    assert "WATCHBOT_CLUSTER" in said
    assert "--database" in said
    assert "ECSS_LOG_LEVEL is not used" in said
    assert (tmp_path / "old.db").exists()


def test_health_and_metrics(cloud: Cloud, database: str) -> None:
    queue = cloud.queue("measured")
    options = ("--metrics-port", "0", "--metrics-host", "127.0.0.1")
    with cloud.started("schedule", "--port", "0", "--database", database, *options) as process:
        said = read_until(process, "serving the API")
        pages, url = re.findall(r"url=(\S+)", said)
        make(url, id="q", target={"type": "sqs", "queueUrl": queue, "message": "tick"})
        read_until(process, "run started")
        read_until(process, "run started")
        metrics = requests.get(f"{pages}/metrics", timeout=10).text
        health = requests.get(f"{pages}/healthz", timeout=10)

    assert health.status_code == 200
    assert re.search(r'schedule_runs_total{schedule="q",status="started"} [2-9]\.', metrics)
    assert 'watchbot_schedule_runs_total{schedule="q",status="failed"} 0.0' in metrics
    assert re.search(r'schedule_lag_seconds_count{schedule="q"} [2-9]\.', metrics)
    assert 'watchbot_schedule_last_success_timestamp_seconds{schedule="q"}' in metrics


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--database", "mysql://u:secret@h/d"], 2, "--database"),
        (["--database", "sqlite:////no/such/folder/s.db"], 1, "/no/such/folder"),
        (["--database", "dynamodb://a/b"], 2, "dynamodb://TABLE"),
        (["--database", "schedule.db"], 2, "dynamodb://TABLE"),
        (["--concurrency", "0"], 2, "--concurrency"),
        (["--port", "99999"], 2, "--port"),
        (["--notification-topic", "t"], 2, "--notification-topic"),
        (["--host", "203.0.113.7", "--port", "0", "--token", "known"], 2, "--port"),
        (["--host", "203.0.113.7", "--port", "0"], 2, "--token"),
    ],
)
def test_bad_option(cloud: Cloud, database: str, options: list[str], code: int, said: str) -> None:
    done = cloud.watchbot("schedule", *options, env={"WATCHBOT_DATABASE": database})

    assert_refused(done, code, said)
    assert "secret" not in done.stderr


def test_old_variable_that_names_nothing(cloud: Cloud) -> None:
    done = cloud.watchbot("schedule", env={"ECSS_ECS_CLUSTER": "{NOWHERE}"})

    assert_refused(done, 2, "ECSS_ECS_CLUSTER", "--cluster")


def test_replicas_on_one_table_send_each_message_once(cloud: Cloud) -> None:
    database, queue = "dynamodb://replicas", cloud.queue("replicated.fifo")
    with scheduling(cloud, database) as (one, url, said):
        with scheduling(cloud, database) as (two, other, _):
            make(url, id="j", target={"type": "sqs", "queueUrl": queue, "message": "tick"})
            read_until(one, "run started")
            read_until(two, "run started")
            two.send_signal(signal.SIGKILL)
            read_until(one, "run started")
            read_until(one, "run started")
        requests.delete(f"{url}/jobs/j", timeout=30)
        one.send_signal(signal.SIGTERM)
        assert one.wait(timeout=30) == 0
    with scheduling(cloud, database) as (_, url, _):
        ledger = runs(url, "j")

    due = [
        message["MessageAttributes"]["DueAt"]["StringValue"] for message in cloud.take_all(queue)
    ]
    assert "table made" in said
    assert other != url
    assert len(due) == len(set(due)) >= 4
    assert {run["dueAt"] for run in ledger if run["status"] == "started"} <= set(due)


def test_table_of_another_program_is_refused(cloud: Cloud) -> None:
    cloud.dynamodb.create_table(
        TableName="others",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    done = cloud.watchbot("schedule", "--database", "dynamodb://others", "--port", "0")

    assert_refused(done, 2, "--database", "others", "not the scheduler's")


def test_database_that_goes_away_and_comes_back(cloud: Cloud) -> None:
    queue = cloud.queue("patient.fifo")
    with running_postgres() as server:
        with scheduling(cloud, server.new_database()) as (process, url, _):
            make(url, id="j", target={"type": "sqs", "queueUrl": queue, "message": "tick"})
            read_until(process, "run started")
            server.kill()
            read_until(process, "database failed")
            away = requests.get(f"{url}/jobs", timeout=30)
            server.start()
            read_until(process, "run started")
            back = requests.get(f"{url}/jobs", timeout=30)
            requests.delete(f"{url}/jobs/j", timeout=30)
            ledger = runs(url, "j")

    due = [
        message["MessageAttributes"]["DueAt"]["StringValue"] for message in cloud.take_all(queue)
    ]
    assert (away.status_code, back.status_code) == (503, 200)
    assert "does not answer" in away.text
    assert len(due) == len(set(due))  # none twice
    assert {run["dueAt"] for run in ledger if run["status"] == "started"} <= set(due)
