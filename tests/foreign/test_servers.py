"""The product on servers that others wrote: each promise once, with real processes."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.everywhere import each_message_runs_once, groups_run_in_order
from tests.support.programs import read_until
from watchbot.progress import Progress

MIB = 1_048_576
EVERY_SECOND = {"schedule": "* * * * * *", "dialect": "cron"}


def test_server_listens_on_loopback_alone(cloud: Cloud) -> None:
    port = int(cloud.url.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        if probe.connect_ex(("192.0.2.1", 9)):  # this sends nothing
            return  # a machine without a route has no other address
        own = probe.getsockname()[0]

    with socket.socket() as caller:
        caller.settimeout(5)
        refused = caller.connect_ex((own, port))

    assert own.startswith("127.") or refused


def test_exit_code_settles_the_message(cloud: Cloud) -> None:
    queue = cloud.queue("standard")
    for code in ("0", "3", "1"):
        cloud.send(queue, code)

    done = cloud.listen(queue, "--concurrency", "3", "exit $Message")

    assert done.returncode == 0, done.stderr
    ends = re.findall(r'(\w+) ending="exit code (\d)"', done.stdout)
    assert {code: outcome for outcome, code in ends} == {
        "0": "completed",
        "3": "rejected",
        "1": "failed",
    }
    assert cloud.depth(queue) == (0, 1)
    (back,) = waited_for(cloud, queue)
    assert (back["Body"], back["Attributes"]["ApproximateReceiveCount"]) == ("1", "2")


def test_fifo_group_runs_one_at_a_time_and_in_order(cloud: Cloud, tmp_path: Path) -> None:
    groups_run_in_order(cloud, tmp_path)


def test_topic_and_notices(cloud: Cloud) -> None:
    queue, told = cloud.queue("subscribed"), cloud.queue("told")
    topic, notices = cloud.topic("work", queue), cloud.topic("notices", told)
    cloud.sns.publish(TopicArn=topic, Subject="über", Message="three words, plain")

    done = cloud.listen(
        queue, "--notification-topic", notices, 'echo "<$Subject|$Message|$TopicArn>"; exit 3'
    )

    assert f"<über|three words, plain|{topic}>" in done.stdout
    (notice,) = cloud.notices(told)
    assert "rejected" in notice["Subject"]
    assert "exit code 3" in notice["Subject"]
    assert notice["MessageAttributes"]["outcome"]["Value"] == "rejected"


def test_attributes_reach_the_worker(cloud: Cloud) -> None:
    queue = cloud.queue("attributes")
    attributes = {
        "colour": {"DataType": "String", "StringValue": "grün"},
        "count": {"DataType": "Number", "StringValue": "7"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\0\xff"},
    }
    cloud.send(queue, "x", MessageAttributes=attributes)

    done = cloud.listen(queue, 'echo "<$MessageAttributes>"; echo "n=$ApproximateReceiveCount"')

    (said,) = re.findall("<(.*)>", done.stdout)
    assert json.loads(said) == {
        "colour": {"Type": "String", "Value": "grün"},
        "count": {"Type": "Number", "Value": "7"},
        "raw": {"Type": "Binary", "Value": "AP8="},
    }
    assert "n=1" in done.stdout


def test_1_mib_reaches_the_worker(cloud: Cloud) -> None:
    queue = cloud.queue("large", MaximumMessageSize=str(MIB))
    cloud.send(queue, "x" * MIB)

    done = cloud.listen(queue, 'wc -c < "$MessageFile"; wc -c')

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"] {MIB}\n") == 2
    assert cloud.depth(queue) == (0, 0)


def test_redrive_after_the_last_receive(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("redrive", receives=1)
    cloud.send(queue, "broken", MessageAttributes=red())

    done = cloud.listen(queue, "exit 1")
    letters = waited_for(cloud, dead, through=queue)

    assert "failed" in done.stdout
    assert [letter["Body"] for letter in letters] == ["broken"]
    assert letters[0]["MessageAttributes"]["colour"]["StringValue"] == "red"


@dataclass(frozen=True)
class Replay:
    """All dead letters of a queue have been replayed: what was said, and what is where."""

    done: subprocess.CompletedProcess[str]
    depths: tuple[tuple[int, int], ...]


@pytest.fixture(scope="session")
def replay(cloud: Cloud) -> Replay:
    queue, dead = cloud.queue_with_dead_letters("moved")
    cloud.send_many(dead, [str(number) for number in range(25)])
    done = cloud.watchbot("dead-letter", "replay", "--queue-url", queue, "--yes")
    return Replay(done, (cloud.depth(queue), cloud.depth(dead)))


def test_all_dead_letters_are_replayed(replay: Replay) -> None:
    assert replay.done.stdout == "25 replayed, 0 kept\n"
    assert replay.done.returncode == 0
    assert replay.depths == ((25, 0), (0, 0))


def test_move_task_moves_all_dead_letters(replay: Replay) -> None:
    assert "sending each" not in replay.done.stderr


def test_dead_letters_are_listed_replayed_and_deleted(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("letters")
    kept, gone = cloud.send(dead, "again", MessageAttributes=red()), cloud.send(dead, "away")
    verbs = ("--queue-url", queue, "--yes", "--poll-wait", "0")

    listed = cloud.watchbot("dead-letter", "list", "--json", *verbs)
    replayed = cloud.watchbot("dead-letter", "replay", kept, *verbs)
    deleted = cloud.watchbot("dead-letter", "delete", gone, *verbs)

    assert [each.returncode for each in (listed, replayed, deleted)] == [0, 0, 0], deleted.stderr
    assert {json.loads(line)["id"] for line in listed.stdout.splitlines()} == {kept, gone}
    (message,) = cloud.take_all(queue)
    assert message["Body"] == "again"
    assert message["MessageAttributes"]["colour"]["StringValue"] == "red"
    assert cloud.depth(dead) == (0, 0)


def test_sigterm_lets_workers_finish_and_leaves_the_rest(cloud: Cloud) -> None:
    queue = cloud.queue("sigterm")
    cloud.send_many(queue, [str(number) for number in range(10)])
    words = ("--queue-url", queue, "--concurrency", "2", "--poll-wait", "1")

    with cloud.started("listen", *words, "echo up; sleep 1") as watcher:
        said = read_until(watcher, r"\] up") + read_until(watcher, r"\] up")
        watcher.send_signal(signal.SIGTERM)
        said += watcher.communicate(timeout=30)[0]

    assert watcher.returncode == 0, said
    assert said.count("completed ending") == said.count("] up") == 2
    assert cloud.depth(queue) == (8, 0)


def test_64_workers_run_each_of_2000_messages_once(cloud: Cloud, tmp_path: Path) -> None:
    each_message_runs_once(cloud, tmp_path, messages=2000, workers=64)


def test_send(cloud: Cloud, tmp_path: Path) -> None:
    queue, subscribed = cloud.queue("sent"), cloud.queue("published")
    topic, lines = cloud.topic("published", subscribed), tmp_path / "lines"
    lines.write_text("".join(f"line {number}\n" for number in range(25)))

    done = cloud.watchbot(
        "send", "--queue-url", queue, "--attribute", "n:Number=3", "--file", str(lines)
    )
    told = cloud.watchbot("send", "--topic-arn", topic, "--subject", "über", "grüße")

    assert (done.returncode, done.stderr, told.returncode, told.stderr) == (0, "", 0, "")
    messages = cloud.take_all(queue)
    assert sorted(message["MessageId"] for message in messages) == sorted(done.stdout.split())
    assert {message["Body"] for message in messages} == set(lines.read_text().splitlines())
    assert {message["MessageAttributes"]["n"]["StringValue"] for message in messages} == {"3"}
    (envelope,) = cloud.notices(subscribed)
    assert (envelope["Subject"], envelope["Message"]) == ("über", "grüße")


def test_doctor_finds_nothing_and_finds_a_fault(cloud: Cloud) -> None:
    healthy, _ = cloud.queue_with_dead_letters("healthy")
    topic = cloud.topic("healthy", healthy)
    cloud.let_send(topic, healthy)
    lossy = cloud.queue("lossy")

    good = cloud.watchbot("doctor", "--queue-url", healthy, "--topic", topic)
    bad = cloud.watchbot("doctor", "--queue-url", lossy)

    assert (good.returncode, good.stderr) == (0, ""), good.stdout
    assert (bad.returncode, bad.stderr) == (1, ""), bad.stdout
    (failure,) = [line for line in bad.stdout.splitlines() if line.startswith("FAIL")]
    assert "no dead-letter queue" in failure


def test_progress_counts_each_part_once(tables: Cloud) -> None:
    table, parts = tables.table("jobs"), list(range(1, 9))
    place = {"ProgressTable": table}
    url = tables.environment.get("AWS_ENDPOINT_URL_DYNAMODB", tables.url)
    progress = Progress(progress_table=table, endpoint_url=url)
    made = tables.watchbot("progress", "set-total", "job", "--total", "8", env=place)

    with ThreadPoolExecutor(8) as threads:
        last = list(threads.map(lambda part: progress.complete_part("job", part), 2 * parts))
    said = tables.watchbot("progress", "status", "job", env=place)

    assert (made.returncode, made.stderr) == (0, "")
    assert Counter(last) == {True: 1, False: 15}
    assert (said.stdout, said.stderr) == ('{"progress":1}\n', "")


def test_schedulers_on_one_table_start_each_run_once(tables: Cloud) -> None:
    queue = tables.queue("ticks.fifo")
    with scheduling(tables) as (one, url), scheduling(tables) as (two, _):
        target = {"type": "sqs", "queueUrl": queue, "message": "tick"}
        made = requests.post(
            f"{url}/jobs", json={**EVERY_SECOND, "id": "j", "target": target}, timeout=30
        )
        read_until(one, "run started")
        read_until(two, "run started")
        two.send_signal(signal.SIGKILL)
        read_until(one, "run started")
        requests.delete(f"{url}/jobs/j", timeout=30)
        one.send_signal(signal.SIGTERM)
        assert one.wait(timeout=30) == 0
    with scheduling(tables) as (_, url):
        ledger = requests.get(f"{url}/v1/jobs/j/runs?limit=1000", timeout=30).json()["runs"]

    assert made.status_code == 201, made.text
    ticks = tables.take_all(queue)
    due = [tick["MessageAttributes"]["DueAt"]["StringValue"] for tick in ticks]
    assert len(due) == len(set(due)) >= 3
    assert {run["dueAt"] for run in ledger if run["status"] == "started"} <= set(due)


def red() -> dict[str, Any]:
    return {"colour": {"DataType": "String", "StringValue": "red"}}


def waited_for(cloud: Cloud, queue: str, through: str | None = None) -> list[dict[str, Any]]:
    """The first messages that come within ten seconds; `through` is asked for its own before."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        for url in filter(None, (through, queue)):
            answer = cloud.sqs.receive_message(
                QueueUrl=url,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            if url == queue and (messages := answer.get("Messages")):
                return list(messages)
    return []


@contextlib.contextmanager
def scheduling(tables: Cloud) -> Iterator[tuple[Any, str]]:
    """A scheduler on the table, and the URL of its API."""
    with tables.started("schedule", "--port", "0", "--database", "dynamodb://plans") as process:
        said = read_until(process, "serving the API")
        yield process, re.findall(r"url=(\S+)", said)[-1]
