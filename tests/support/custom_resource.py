"""The custom resource of schedules, as CloudFormation calls it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from tests.support.cloud import REGION
from watchbot.schedule.custom_resource import MAX_ANSWER_BYTES, handler

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1"
TASK = "arn:aws:ecs:us-east-1:123456789012:task-definition/report:3"
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/blue"
PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:f",
    "SchedulerDynamoDBTable": "schedules",
    "Region": REGION,
    "Name": "report",
    "CronTime": "0 13 * * *",
    "TaskDefinitionArn": TASK,
    "ECSClusterArn": CLUSTER,
}


class Lambda:
    """The context that Lambda passes to the handler."""

    def __init__(self, seconds: float = 30) -> None:
        self._ms = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self._ms


@contextmanager
def answers() -> Iterator[tuple[str, list[bytes]]]:
    """A response URL, and what was sent there."""
    sent: list[bytes] = []

    class Talk(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            assert self.headers["content-type"] == ""
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Talk)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/answer", sent
    server.shutdown()
    thread.join()
    server.server_close()


def an_event(kind: str, physical: str | None = None, **changed: Any) -> dict[str, Any]:
    properties = {**PROPERTIES, **changed}
    return {
        "RequestType": kind,
        "StackId": STACK,
        "RequestId": "r1",
        "LogicalResourceId": "Report",
        "ResourceProperties": {name: each for name, each in properties.items() if each},
        "OldResourceProperties": PROPERTIES,
        **({"PhysicalResourceId": physical} if physical else {}),
    }


def ask(event: dict[str, Any], context: Lambda | None = None) -> dict[str, Any]:
    """The answer to CloudFormation."""
    with answers() as (url, sent):
        handler({**event, "ResponseURL": url}, context or Lambda())
    (body,) = sent
    assert len(body) <= MAX_ANSWER_BYTES
    told: dict[str, Any] = json.loads(body)
    assert (told["StackId"], told["RequestId"], told["LogicalResourceId"]) == (
        STACK,
        "r1",
        "Report",
    )
    return told
