"""Tests options that exclude each other, and the errors."""

from typing import Any

import pytest

import watchbot
from tests.support.stacks import TOPIC, options
from watchbot.errors import SettingError

URL = "postgresql://writer:hunter2@db.example.com/ecs"
RECORD: dict[str, Any] = {"kind": "record", "command": None}
SCHEDULE: dict[str, Any] = {"kind": "schedule", "command": None}
EC2 = {"capacity": "EC2", "cluster": "shared"}

BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "warm and used once": ({"warm": "lines", "writable_filesystem": True}, "warm", "leave one out"),
    "lines without input": ({"batch_size": 2, "no_stdin": True}, "no-stdin", "--batch-size"),
    "big FIFO batch": ({"batch_size": 11, "fifo": True}, "batch-size", "at most 10 with --fifo"),
    "window of one": ({"batch_window": 5}, "batch-window", "set --batch-size"),
    "window of FIFO": (
        {"batch_size": 5, "batch_window": 5, "fifo": True},
        "batch-window",
        "a FIFO queue has none",
    ),
    "recycled cold": ({"recycle_after": 5}, "recycle-after", "set --warm"),
    "no service": ({"service": None}, "service", "is missing"),
    "number for a text": ({"service": 5}, "service", "must be a text"),
    "text for a switch": ({"fifo": "maybe"}, "fifo", "true or false"),
    "function for a switch": ({"fifo": {"Ref": "Fifo"}}, "fifo", "true or false"),
    "odd service": ({"service": "a b"}, "service", "letters, digits"),
    "no image": ({"image": None}, "image", "--service-version"),
    "no command": ({"command": ""}, "command", "is empty"),
    "misspelt capacity": ({"capacity": "FARGTE"}, "capacity", "did you mean FARGATE?"),
    "misspelt spot": ({"capacity": "fargate-spot=1"}, "capacity", "did you mean FARGATE_SPOT?"),
    "kind": ({"kind": "sing"}, "kind", "'record', 'schedule' or 'console'"),
    "record of listen": ({"database": "/x"}, "database", "--kind record"),
    "record of schedule": (SCHEDULE | {"reconcile": "all"}, "reconcile", "--kind record;"),
    "queue of schedule": (SCHEDULE | {"visibility_timeout": 9}, "visibility-timeout", "or record;"),
    "schedule of listen": ({"task_roles": "x"}, "task-roles", "--kind schedule;"),
    "port": (SCHEDULE | {"port": 0}, "port", "1 to 65535"),
    "token itself": (SCHEDULE | {"token": "hunter2 !"}, "token", "not what was given"),
    "table of record": (RECORD | {"database_table": True}, "database-table", "--kind schedule;"),
    "two databases": (
        SCHEDULE | {"database_table": True, "database": "/x"},
        "database",
        "--database-table exclude",
    ),
    "bucket alone": (SCHEDULE | {"function_bucket": "b-1"}, "function-key", "--function-bucket"),
    "key alone": (SCHEDULE | {"function_key": "a.zip"}, "function-bucket", "--function-key"),
    "bucket as URL": (SCHEDULE | {"function_bucket": "s3://b"}, "function-bucket", "without s3://"),
    "key as URL": (SCHEDULE | {"function_key": "s3://b/a.zip"}, "function-key", "after the bucket"),
    "function of listen": (
        {"function_bucket": "b-1", "function_key": "a.zip"},
        "function-bucket",
        "--kind schedule;",
    ),
    "listen of record": ({"kind": "record"}, "command", "--kind listen"),
    "URL of a database": (RECORD | {"database": URL}, "database", "not what was given"),
    "retention of history": (RECORD | {"retention": 0}, "retention", "1 to 36500"),
    "retention of tasks": (RECORD | {"retention_tasks": "x"}, "retention-tasks", "a whole number"),
    "number for a list": (RECORD | {"reconcile": 5}, "reconcile", "a list"),
    "FIFO record": (RECORD | {"fifo": True}, "fifo", "--kind listen"),
    "min over max": ({"min_size": 3, "max_size": 2}, "min-size", "--max-size 2"),
    "insights of another's": (
        {"container_insights": True, "cluster": "shared"},
        "container-insights",
        "leave out --cluster",
    ),
    "log of no webhook": ({"webhook_access_log": True}, "webhook-access-log", "set --webhook"),
    "prefix": ({"prefix": "my-app"}, "prefix", "letters and digits"),
    "email and topic": (
        {"notification_email": "a@example.com", "notification_topic": TOPIC},
        "notification-email",
        "--notification-topic exclude",
    ),
    "topic is FIFO": ({"notification_topic": TOPIC + ".fifo"}, "notification-topic", "not FIFO"),
    "cpu": ({"cpu": 300}, "cpu", "256, 512, 1024"),
    "memory": ({"cpu": 512, "memory": 512}, "memory", "1024, 2048, 3072, 4096"),
    "memory in steps": ({"cpu": 8192, "memory": 17_000}, "memory", "steps of 4096"),
    "privileged on Fargate": ({"privileged": True}, "privileged", "--capacity EC2"),
    "host mount on Fargate": ({"mounts": "/a:/b"}, "mounts", "EC2"),
    "long drain on Fargate": ({"drain_timeout": 111}, "drain-timeout", "at most 110"),
    "disk on EC2": ({**EC2, "ephemeral_storage_gib": 30}, "ephemeral-storage-gib", "Fargate"),
    "address on EC2": ({**EC2, "public_ip": "ENABLED"}, "public-ip", "Fargate"),
    "soft over hard": ({**EC2, "soft_memory": 600}, "soft-memory", "--memory 512"),
    "EC2 without cluster": ({"capacity": "EC2"}, "cluster", "missing"),
    "EC2 beside others": ({"capacity": "EC2=1,FARGATE=1"}, "capacity", "EC2 stands alone"),
    "mixed kinds": ({"capacity": "mine=1,FARGATE=1", "cluster": "c"}, "capacity", "not mix"),
    "weight": ({"capacity": "FARGATE=x"}, "capacity", "weight of 1 to 1000"),
    "FIFO webhook": ({"fifo": True, "webhook": True}, "webhook", "FIFO"),
    "topic without FIFO": ({"fifo_topic": True}, "fifo-topic", "--fifo"),
    "key without webhook": ({"webhook_key": True}, "webhook-key", "--webhook"),
    "retention of logs": ({"log_retention_days": 8}, "log-retention-days", "7, 14, 30"),
    "retention of messages": ({"message_retention": 59}, "message-retention", "60 to 1209600"),
    "no number": ({"max_size": "many"}, "max-size", "whole number"),
    "no function": ({"max_size": {"Size": 1}}, "max-size", "{'Ref': 'NAME'}"),
    "broken JSON": ({"max_size": '{"Ref"'}, "max-size", "begins like JSON"),
    "permissions": ({"permissions": "all"}, "permissions", "JSON objects"),
    "env": ({"env": ["A"]}, "env", "NAME=VALUE"),
    "mount": ({"mounts": "tmp"}, "mounts", "/PATH"),
    "key": ({"kms_key": "alias/x"}, "kms-key", "ARN of a key"),
    "queue without a weight": ({"queues": {"high": ""}}, "queues", "a weight of 1 to 1000"),
    "queue of no weight": ({"queues": "high=0"}, "queues", "1 to 1000, not high=0"),
    "queue of a half": ({"queues": {"high": 1.5}}, "queues", "not high=1.5"),
    "queue twice": ({"queues": "high=3,High=1"}, "queues", "High twice"),
    "name of a queue": ({"queues": "my-queue=1"}, "queues", "letters and digits"),
    "name of a dead-letter queue": ({"queues": "xDeadLetter"}, "queues", "not end in deadletter"),
    "queues as a number": ({"queues": 5}, "queues", "like high=3, not 5"),
    "five queues": ({"queues": "a,b,c,d,e"}, "queues", "at most 4, not 5"),
    "queues of a record": (RECORD | {"queues": "a,b"}, "queues", "--kind listen"),
    "unknown": ({"colour": "red"}, "colour", "no option"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_option_is_named_with_what_is_allowed(case: str) -> None:
    chosen, name, said = BAD[case]

    with pytest.raises(SettingError) as refused:
        watchbot.template(options(**chosen))

    assert str(refused.value).startswith(f"--{name} (WATCHBOT_")
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["service", "command"])
def test_required_option_is_missed(name: str) -> None:
    given = options()
    del given[name]

    with pytest.raises(SettingError, match=f"--{name}.*is missing"):
        watchbot.template(given)


def test_variables_do_not_change_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    before = watchbot.template(options())
    monkeypatch.setenv("WATCHBOT_MAX_SIZE", "7")
    monkeypatch.setenv("maxJobDuration", "7")

    assert watchbot.template(options()) == before


def test_names_of_ecs_watchbot_are_taken_where_they_mean_as_much() -> None:
    old = {"maxSize": 3, "writableFilesystem": True, "maxJobDuration": 60}
    ours = {"max_size": 3, "writable_filesystem": True, "max_job_duration": 60}

    assert watchbot.template(options(**old)) == watchbot.template(options(**ours))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alarmThreshold": 5}, "alarmThreshold: is called alarm_queue_size here"),
        ({"alarm_periods": 5}, "alarm_periods: is called alarm_queue_periods here"),
        ({"reservation": {}}, "reservation: is called cpu, memory and soft_memory here"),
        ({"deadletterThreshold": 5}, "deadletterThreshold: is called dead_letter_threshold here"),
        ({"memoryLimitMiB": 512}, "memoryLimitMiB: is called memory here"),
        ({"ephemeralStorageGiB": 30}, "ephemeralStorageGiB: is called ephemeral_storage_gib here"),
        ({"fargateSubnets": ["s"]}, "fargateSubnets: is called subnets here"),
        (
            {"readonlyRootFilesystem": True},
            "readonlyRootFilesystem: is called writable_filesystem (the",
        ),
        ({"deploymentEnvironment": "staging"}, "deploymentEnvironment: is gone: name the cluster"),
        ({"watchbotVersion": "4"}, "watchbotVersion: is gone: the watcher is in your image"),
        ({"maxsice": 5}, "maxsice: is no option; did you mean max_size?"),
        ({"zzz": 5}, "--zzz (WATCHBOT_ZZZ): is no option"),
        ({"maxSize": 5, "max_size": 6}, "max_size: is also given as max_size"),
    ],
)
def test_name_that_is_none_is_refused_with_ours(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as refusal:
        watchbot.template(options() | given)

    assert str(refusal.value).startswith(said)
