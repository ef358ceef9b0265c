"""Messages for a scheduler, with a server in its place that answers as the test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from watchbot.errors import AwsError, Denied, NotFound, Unreachable
from watchbot.send.later import ScheduledDestination
from watchbot.send.when import Keeper
from watchbot.sqs.outgoing import Outgoing, Unsent

AT = datetime(2190, 1, 1, tzinfo=UTC)
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"


class FakeScheduler:
    """Gives its answers in order, then 201; keeps the ids that it was asked to keep."""

    def __init__(self, answers: list[int]) -> None:
        self.answers, self.ids, self.shown = answers, list[str](), set[str | None]()
        self.url = ""

    def destination(self) -> ScheduledDestination:
        return ScheduledDestination(Keeper(url=self.url, token="t"), QUEUE, AT)


@contextmanager
def a_scheduler(*answers: int) -> Iterator[FakeScheduler]:
    fake = FakeScheduler(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.ids.append(body["id"])
            fake.shown.add(self.headers["Authorization"])
            status = fake.answers.pop(0) if fake.answers else 201
            self.send_response(status)
            if status == 307:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(b'{"message": "It has\\n words."}')

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        yield fake
        server.shutdown()


async def test_message_that_was_taken_before_is_taken() -> None:
    with a_scheduler(201, 409) as scheduler:
        destination = scheduler.destination()
        messages = [destination.fit(Outgoing(body=body)) for body in "ab"]
        results = await destination.send(messages)

    assert results == scheduler.ids
    assert len(set(scheduler.ids)) == 2
    assert scheduler.shown == {"Bearer t"}


async def test_refused_message_does_not_hold_up_the_others() -> None:
    with a_scheduler(400) as scheduler:
        destination = scheduler.destination()
        results = await destination.send([destination.fit(Outgoing(body=body)) for body in "ab"])

    assert results == [Unsent(code="scheduler: 400", text="It has words"), scheduler.ids[1]]


async def test_what_was_kept_before_a_fault_is_not_given_again() -> None:
    with a_scheduler(201, 503) as scheduler:
        destination = scheduler.destination()
        results = await destination.send([destination.fit(Outgoing(body=body)) for body in "abc"])

    unsent = Unsent(code="503", text="It has words", passing=True)
    assert results == [scheduler.ids[0], unsent, unsent]


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, Denied, "check --token"),
        (403, Denied, "check --token"),
        (404, NotFound, "check --scheduler-url"),
        (307, NotFound, "check --scheduler-url"),
        (503, Unreachable, "check --scheduler-url"),
    ],
)
async def test_fault_of_the_scheduler_is_told(status: int, kind: type[AwsError], hint: str) -> None:
    with a_scheduler(status) as scheduler:
        destination = scheduler.destination()
        with pytest.raises(kind, match=f"scheduler POST /v1/jobs failed: {status}: .*{hint}"):
            await destination.send([destination.fit(Outgoing(body="a"))])


async def test_scheduler_that_is_away_is_told() -> None:
    destination = ScheduledDestination(Keeper(url="http://127.0.0.1:1", token=None), QUEUE, AT)

    with pytest.raises(Unreachable, match="Connection refused; check --scheduler-url"):
        await destination.send([destination.fit(Outgoing(body="a"))])
