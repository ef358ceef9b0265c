"""`watchbot dead-letter` with many messages, and with signals half-way."""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.bench import BIN, Server, environment, serving

MANY = 10_000


class Place:
    """A queue and its dead-letter queue, on a server that has SQS's move task."""

    def __init__(self, server: Server, count: int) -> None:
        self._server = server
        self.dead, self.url = server.queue(), server.queue()
        policy = {"deadLetterTargetArn": self._arn(self.dead), "maxReceiveCount": 5}
        attributes = {"RedrivePolicy": json.dumps(policy)}
        server.call("SetQueueAttributes", QueueUrl=self.url, Attributes=attributes)
        server.call("FillQueue", QueueUrl=self.dead, Count=count)

    def started(self, *words: str) -> subprocess.Popen[str]:
        """A `watchbot dead-letter` that has begun."""
        return subprocess.Popen(
            [str(BIN / "watchbot"), "dead-letter", "--queue-url", self.url, *words],
            env=environment(self._server.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error.

        A slow machine makes the tool say what it waits for, after 3 s: those lines are left out.
        """
        with self.started(*words) as process:
            out, err = process.communicate(timeout=120)
        said = [line for line in err.splitlines(keepends=True) if ": waiting for " not in line]
        return process.returncode, out, "".join(said)

    def count(self, url: str, state: str = "") -> int:
        facts = self._server.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        return int(facts["Attributes"][f"ApproximateNumberOfMessages{state}"])

    def bodies(self) -> Counter[str]:
        """The bodies in the queue, each with its count."""
        found: Counter[str] = Counter()
        while messages := self._receive():
            found.update(message["Body"] for message in messages)
        return found

    def _receive(self) -> list[dict[str, Any]]:
        answer = self._server.call(
            "ReceiveMessage", QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=600
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _arn(self, url: str) -> str:
        facts = self._server.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        arn: str = facts["Attributes"]["QueueArn"]
        return arn


def wait_until(reached: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.02)  # a queue announces nothing


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def test_replay_that_is_killed_half_way_and_run_again_loses_nothing(server: Server) -> None:
    place = Place(server, MANY)

    with place.started("replay", "--older-than", "0s", "--visibility-timeout", "3") as process:
        wait_until(lambda: place.count(place.url) >= MANY / 2)
        process.kill()
    wait_until(lambda: place.count(place.dead, "NotVisible") == 0)
    code, out, _ = place.run("replay", "--older-than", "0s", "--json")

    assert (code, json.loads(out)["kept"]) == (0, 0)
    assert (place.count(place.dead), place.count(place.dead, "NotVisible")) == (0, 0)
    found = place.bodies()
    assert len(found) == MANY
    # What was sent and not deleted yet when it was killed is there twice: one wave at most.
    assert sum(found.values()) - MANY <= 40


def test_whole_queue_is_moved_by_sqs_itself(server: Server) -> None:
    place = Place(server, MANY)
    server.call("TellCalls")

    code, out, err = place.run("replay")

    assert (code, out, err) == (0, f"{MANY} replayed, 0 kept\n", "")
    assert place.count(place.url) == MANY
    calls = server.call("TellCalls")
    assert "StartMessageMoveTask" in calls
    assert "ReceiveMessage" not in calls


@pytest.mark.parametrize("verb", ["list", "replay"])
def test_interrupted_walk_puts_back_what_it_holds(server: Server, verb: str) -> None:
    place = Place(server, 3000)
    choice = ("--match", "^[01]") if verb == "replay" else ()

    with place.started(verb, *choice) as process:
        wait_until(lambda: place.count(place.dead, "NotVisible") >= 500)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert place.count(place.dead, "NotVisible") == 0
    assert place.count(place.dead) + place.count(place.url) == 3000


@pytest.mark.parametrize("verb", ["list", "summary", "export"])
def test_what_sqs_does_not_show_is_said_and_the_rest_is_kept(
    server: Server, verb: str, tmp_path: Path
) -> None:
    place = Place(server, 300)
    server.call("SetQueueAttributes", QueueUrl=place.dead, Attributes={"MaxHidden": "200"})
    words = [verb, str(tmp_path / "letters")] if verb == "export" else [verb]

    code, out, err = place.run(*words, "--poll-wait", "0")

    assert code == 1
    assert "about 100 more are not seen: SQS hides 120,000" in err
    assert "run this again" in err
    if verb == "list":
        assert len(out.splitlines()) == 1 + 200
    elif verb == "summary":
        assert out.splitlines()[1].split()[0] == "200"
    else:
        assert len((tmp_path / "letters").read_text().splitlines()) == 200
    assert (place.count(place.dead), place.count(place.dead, "NotVisible")) == (300, 0)


def test_progress_is_told_where_there_is_no_terminal(server: Server) -> None:
    place = Place(server, 20_500)

    code, out, err = place.run("summary")

    assert (code, err) == (0, "watchbot: 20,000 of about 20,500 messages so far\n")
    assert out.splitlines()[1].split()[0] == "20500"
