"""A queue, its dead-letter queue, and `watchbot dead-letter` on them."""

import json
from dataclasses import dataclass
from typing import Any

from tests.support.cloud import Cloud
from tests.support.inside import Done, run

RED = {"colour": {"DataType": "String", "StringValue": "red"}}
BYTES = {"raw": {"DataType": "Binary", "BinaryValue": b"\0\xff"}}


@dataclass(frozen=True, slots=True)
class Queues:
    """A queue and its dead-letter queue."""

    cloud: Cloud
    url: str
    dead: str

    def run(self, *words: str) -> Done:
        """Runs `watchbot dead-letter` on the queues."""
        return run("dead-letter", "--queue-url", self.url, "--poll-wait", "0", *words)

    def json(self, *words: str) -> list[dict[str, Any]]:
        """The command's JSON output; fails on an error or further output."""
        done = self.run(*words, "--json")
        assert (done.code, done.err) == (0, "")
        return [json.loads(line) for line in done.out.splitlines()]


def queues(cloud: Cloud, name: str) -> Queues:
    return Queues(cloud, *cloud.queue_with_dead_letters(name))


def given_up(cloud: Cloud, queue_url: str, body: str, fingerprint: str = "f" * 16) -> str:
    """The id of a dead letter that says it failed with exit code 2, and was known as `m`."""
    noted = {
        "watchbot.reason": "exit code 2",
        "watchbot.exit_code": "2",
        "watchbot.fingerprint": fingerprint,
        "watchbot.duration": "0.100",
        "watchbot.tail": "it broke",
        "watchbot.message": json.dumps({"id": "m", "sent": 1_700_000_000_000, "receives": 3}),
    }
    attributes = {
        name: {"DataType": "String", "StringValue": value} for name, value in noted.items()
    }
    return cloud.send(queue_url, body, MessageAttributes={**RED, **attributes})
