"""Calls of the embedded AWS, by boto3 and by hand."""

import http.client
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.support.cloud import REGION, Cloud

SOON_S = 10  # for what comes at once, or never
POLL = {"WaitTimeSeconds": 20, "MaxNumberOfMessages": 10}


def receive(cloud: Cloud, queue_url: str, count: int = 10, **more: Any) -> list[dict[str, Any]]:
    answer = cloud.sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=count,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
        **more,
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]


def show(cloud: Cloud, queue_url: str, message: dict[str, Any], in_s: int = 0) -> None:
    cloud.sqs.change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=in_s
    )


def delete(cloud: Cloud, queue_url: str, message: dict[str, Any]) -> None:
    cloud.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def poll(cloud: Cloud, threads: ThreadPoolExecutor, queue_url: str) -> Future[list[dict[str, Any]]]:
    """A long poll that waits by now."""
    answer = threads.submit(receive, cloud, queue_url, WaitTimeSeconds=20)
    time.sleep(0.2)  # nothing tells from outside when the server has begun to wait
    assert not answer.done()
    return answer


def by_hand(cloud: Cloud, action: str, **body: Any) -> tuple[str, str, str, dict[str, str]]:
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/sqs/aws4_request, x",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{action}",
    }
    return "POST", "/", json.dumps(body), headers


def connect(cloud: Cloud) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(cloud.url.removeprefix("http://"), timeout=SOON_S)
