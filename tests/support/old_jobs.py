"""Jobs as ecs-scheduler and clockwork kept them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3

from tests.support.cloud import REGION, Cloud

OLD: dict[str, dict[str, Any]] = {
    "nightly": {"schedule": "0 0 2 * * *", "taskDefinition": "report", "taskCount": 3},
    "blank": {"schedule": "", "taskDefinition": "report"},
    "queue": {"schedule": "0 */5", "trigger": {"type": "sqs", "queueName": "q"}, "maxCount": None},
}


def client(cloud: Cloud, service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=cloud.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def in_sqlite(_: Cloud, folder: Path) -> str:
    path = folder / "jobs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE jobs (id TEXT PRIMARY KEY NOT NULL, data JSONTEXT NOT NULL)"
        )
        rows = [(job_id, json.dumps(fields)) for job_id, fields in OLD.items()]
        connection.executemany("INSERT INTO jobs VALUES (?, ?)", rows)
        connection.commit()
    return f"sqlite:///{path}"


def put(cloud: Cloud, table: str, key: str, *items: dict[str, str]) -> None:
    dynamodb = client(cloud, "dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for item in items:
        dynamodb.put_item(
            TableName=table, Item={name: {"S": value} for name, value in item.items()}
        )
