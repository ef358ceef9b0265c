"""A worker of Celery with two processes, whose task does nothing.

usage: python celery_consumer.py QUEUE_URL; python celery_consumer.py --body prints a message
"""

import base64
import json
import os
import sys

from celery import Celery


def body() -> str:
    """A call of the task as Celery's client sends it, protocol 2, by kombu's transport for SQS."""
    headers = {"lang": "py", "task": "work", "id": "t", "argsrepr": "[]", "kwargsrepr": "{}"}
    call = json.dumps([[], {}, {}]).encode()
    envelope = {
        "body": base64.b64encode(call).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {**headers, "root_id": "t", "parent_id": None, "retries": 0, "eta": None},
        "properties": {
            "correlation_id": "t",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "delivery_tag": "t",
            "body_encoding": "base64",
        },
    }
    return base64.b64encode(json.dumps(envelope).encode()).decode()


def main(queue_url: str) -> None:
    server = os.environ["AWS_ENDPOINT_URL"].partition("//")[2].rstrip("/")
    app = Celery("bench", broker=f"sqs://x:x@{server}")
    app.conf.broker_transport_options = {
        "region": "us-east-1",
        "is_secure": False,
        "wait_time_seconds": 5,
        "predefined_queues": {"celery": {"url": queue_url}},
    }
    app.conf.task_ignore_result = True
    app.conf.worker_prefetch_multiplier = 0  # no limit; at one, its loop pauses for a second

    @app.task(name="work")  # type: ignore[untyped-decorator]  # it has no types
    def work() -> None:
        pass

    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "CRITICAL")
    app.worker_main(["worker", "-P", "prefork", "-c", "2", *quiet])


if __name__ == "__main__":
    if sys.argv[1] == "--body":
        print(body())
    else:
        main(sys.argv[1])
