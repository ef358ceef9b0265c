"""`watchbot dead-letter`, verb by verb, on queues of the embedded AWS."""

import json
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import BIN, Cloud, running_cloud
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
        """One `watchbot dead-letter` on them."""
        return run("dead-letter", "--queue-url", self.url, "--poll-wait", "0", *words)

    def json(self, *words: str) -> list[dict[str, Any]]:
        """What it printed as JSON; it went well, and said nothing else."""
        done = self.run(*words, "--json")
        assert (done.code, done.err) == (0, "")
        return [json.loads(line) for line in done.out.splitlines()]


def queues(cloud: Cloud, name: str) -> Queues:
    base, dot, fifo = name.partition(".")
    dead = cloud.queue(f"{base}-dead{dot}{fifo}")
    policy = json.dumps({"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 5})
    return Queues(cloud, cloud.queue(name, RedrivePolicy=policy), dead)


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


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def kept(cloud: Cloud) -> Iterator[tuple[Queues, list[str]]]:
    """Three dead letters that nobody takes out, and their ids."""
    place = queues(cloud, "kept")
    ids = [
        cloud.send(place.dead, "plain"),
        given_up(cloud, place.dead, "order 1"),
        given_up(cloud, place.dead, "order 2"),
    ]
    yield place, ids
    assert cloud.depth(place.dead) == (3, 0), "what was looked at is put back"


def test_list_has_a_line_for_each(kept: tuple[Queues, list[str]]) -> None:
    place, ids = kept

    done = place.run("list")

    title, *lines = done.out.splitlines()
    assert (done.code, title.split()[:3]) == (0, ["ID", "SENT", "RECEIVES"])
    assert {line.split()[0] for line in lines} == set(ids)
    assert any("exit code 2" in line and line.endswith("order 1") for line in lines)


def test_list_as_json(kept: tuple[Queues, list[str]]) -> None:
    place, ids = kept

    [facts] = place.json("list", "--match", "^order 1$")

    assert facts == {
        "id": ids[1],
        "sent": "2023-11-14T22:13:20.000Z",
        "receives": 3,
        "reason": "exit code 2",
        "fingerprint": "f" * 16,
        "group": None,
        "text": "order 1",
    }


def test_list_takes_no_more_than_were_asked_for(kept: tuple[Queues, list[str]]) -> None:
    place, _ = kept

    assert len(place.json("list", "--max", "2")) == 2


@pytest.mark.parametrize("verb", ["list", "summary"])
def test_nothing_found_is_said(kept: tuple[Queues, list[str]], verb: str) -> None:
    place, _ = kept

    done = place.run(verb, "--match", "order 9")

    assert (done.code, done.out) == (0, "")
    assert done.err == "watchbot: no message of this choice in kept-dead\n"


def test_show_tells_all_there_is(kept: tuple[Queues, list[str]]) -> None:
    place, ids = kept

    [facts] = place.json("show", ids[2])

    assert (facts["id"], facts["original_id"]) == (ids[2], "m")
    assert (facts["message"], facts["tail"], facts["exit_code"]) == ("order 2", "it broke", 2)
    assert facts["attributes"] == {"colour": {"type": "String", "value": "red"}}


def test_message_that_is_not_there_is_named(kept: tuple[Queues, list[str]]) -> None:
    place, ids = kept

    done = place.run("show", "nowhere", ids[0])

    assert (done.code, done.err) == (1, "watchbot: not found in kept-dead: nowhere\n")
    assert "plain" in done.out


def test_summary_counts_by_fingerprint_and_reason(kept: tuple[Queues, list[str]]) -> None:
    place, ids = kept

    kinds = place.json("summary")

    assert [(kind["count"], kind["newest"]["reason"]) for kind in kinds] == [
        (2, "exit code 2"),
        (1, None),
    ]
    assert kinds[0]["newest"]["id"] in ids[1:]


def test_export_writes_a_file_for_us_alone(kept: tuple[Queues, list[str]], tmp_path: Path) -> None:
    place, ids = kept
    file = tmp_path / "dead.jsonl"

    done = place.run("export", str(file))

    assert (done.code, done.err) == (0, "watchbot: 3 messages written\n")
    assert {json.loads(line)["id"] for line in file.read_text().splitlines()} == set(ids)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_export_overwrites_nothing_unasked(kept: tuple[Queues, list[str]], tmp_path: Path) -> None:
    place, _ = kept
    file = tmp_path / "dead.jsonl"
    file.write_text("mine")

    done = place.run("export", str(file))

    assert (done.code, file.read_text()) == (2, "mine")
    assert "add --yes" in done.err


def test_logs_are_those_of_the_message(cloud: Cloud, kept: tuple[Queues, list[str]]) -> None:
    place, ids = kept
    logs, now = cloud.client("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="workers")
    logs.create_log_stream(logGroupName="workers", logStreamName="s")
    lines = [(now - 30_000_000, "[m] old"), (now, "[m] new"), (now, "[n] another's")]
    events = [{"timestamp": at, "message": text} for at, text in lines]
    logs.put_log_events(logGroupName="workers", logStreamName="s", logEvents=events)
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:workers:*"
    server = ("--endpoint-url", cloud.url)  # that of a queue's URL is asked for queues alone

    recent = place.run("logs", *server, ids[1], "--log-group", "workers")
    older = place.run("logs", *server, ids[1], "--log-group", arn, "--since", "12h")
    none = place.run("logs", *server, ids[0], "--log-group", "workers")

    assert (recent.code, recent.out) == (0, "[m] new\n")
    assert (older.code, older.out) == (0, "[m] old\n[m] new\n")
    assert (none.code, none.out) == (1, "")


def test_dry_run_says_what_and_does_nothing(kept: tuple[Queues, list[str]]) -> None:
    place, _ = kept

    for verb in ("replay", "delete"):
        done = place.run(verb, "--match", "order", "--dry-run")
        assert done.code == 0
        assert "nothing was" in done.err
        assert len(done.out.splitlines()) == 3
    assert json.loads(place.run("purge", "--dry-run", "--json").out) == {"would_purge": 3}


def test_replay_sends_messages_as_they_were(cloud: Cloud) -> None:
    place = queues(cloud, "replay")
    ids = {
        cloud.send(
            place.dead,
            "grüße",
            MessageAttributes={**RED, **BYTES},
        ),
        given_up(cloud, place.dead, "order"),
    }

    [result] = place.json("replay", "--older-than", "0s")

    assert result == {"replayed": 2, "kept": 0, "doubled": 0, "refused": []}
    assert cloud.depth(place.dead) == (0, 0)
    sent = {message["Body"]: message for message in cloud.take_all(place.url)}
    assert sent.keys() == {"grüße", "order"}
    assert sent["grüße"]["MessageAttributes"]["raw"]["BinaryValue"] == b"\0\xff"
    assert sent["order"]["MessageAttributes"] == RED
    assert not ids & {message["MessageId"] for message in sent.values()}


def test_whole_queue_is_moved_by_sqs(cloud: Cloud) -> None:
    place = queues(cloud, "whole")
    cloud.send_many(place.dead, [str(number) for number in range(120)])

    done = place.run("replay")

    assert (done.code, done.out) == (0, "120 replayed, 0 kept\n")
    assert "sending each" not in done.err
    assert (cloud.depth(place.dead), cloud.depth(place.url)) == ((0, 0), (120, 0))


def test_whole_queue_is_replayed_where_sqs_cannot_move_it(cloud: Cloud) -> None:
    place = Queues(cloud, cloud.queue("kept-apart"), cloud.queue("by-hand"))
    cloud.send_many(place.dead, [str(number) for number in range(120)])

    done = place.run("replay", "--dead-letter-queue-url", place.dead)

    assert (done.code, done.out) == (0, "120 replayed, 0 kept\n")
    assert "sending each" in done.err
    assert (cloud.depth(place.dead), cloud.depth(place.url)) == ((0, 0), (120, 0))


def test_fifo_replay_keeps_order_and_groups(cloud: Cloud) -> None:
    place = queues(cloud, "order.fifo")
    for number in range(24):
        cloud.send(
            place.dead,
            str(number),
            MessageGroupId=f"g{number % 2}",
            MessageDeduplicationId=str(number),
        )

    done = place.run("replay")

    assert (done.code, done.out) == (0, "24 replayed, 0 kept\n")
    messages = cloud.take_all(place.url)
    for group in range(2):
        bodies = [
            int(message["Body"])
            for message in messages
            if message["Attributes"]["MessageGroupId"] == f"g{group}"
        ]
        assert bodies == list(range(group, 24, 2))


def test_list_of_a_fifo_queue_tells_what_it_cannot_see(cloud: Cloud) -> None:
    place = queues(cloud, "unseen.fifo")
    for number in range(12):
        cloud.send(place.dead, "x", MessageGroupId="g", MessageDeduplicationId=str(number))

    done = place.run("list")

    assert (done.code, len(done.out.splitlines())) == (0, 1 + 10)
    assert "about 2 more are not seen" in done.err
    assert cloud.depth(place.dead) == (12, 0)


def test_message_that_its_queue_refuses_is_kept(cloud: Cloud) -> None:
    place = Queues(cloud, cloud.queue("small"), cloud.queue("small-by-hand"))  # SQS moves none
    cloud.sqs.set_queue_attributes(QueueUrl=place.url, Attributes={"MaximumMessageSize": "1024"})
    big = cloud.send(place.dead, "x" * 2000)
    cloud.send(place.dead, "y")

    done = place.run("replay", "--dead-letter-queue-url", place.dead)

    assert (done.code, done.out) == (1, "1 replayed, 1 kept\n")
    assert f"watchbot: {big}: InvalidParameterValue" in done.err
    assert (cloud.depth(place.dead), cloud.depth(place.url)) == ((1, 0), (1, 0))


def test_queue_is_found_from_its_dead_letter_queue(cloud: Cloud) -> None:
    place = queues(cloud, "found")
    cloud.send(place.dead, "x")

    done = run("dead-letter", "replay", "--match", "x", "--dead-letter-queue-url", place.dead)

    assert (done.code, done.out) == (0, "1 replayed, 0 kept\n")
    assert cloud.depth(place.url) == (1, 0)


def test_program_has_its_old_name_too(cloud: Cloud) -> None:
    place = queues(cloud, "old-name")
    words = ("list", "--queue-url", place.url)

    done = subprocess.run(
        [BIN / "watchbot-dead-letter", *words],
        env=cloud.environment,
        capture_output=True,
        check=True,
    )

    assert done.stdout == b""


def test_delete_takes_those_that_were_chosen(cloud: Cloud) -> None:
    place = queues(cloud, "delete")
    cloud.send_many(place.dead, ["a1", "a2", "b1"])

    assert place.json("delete", "--match", "^a", "--yes") == [{"deleted": 2, "kept": 1}]
    assert [message["Body"] for message in cloud.take_all(place.dead)] == ["b1"]


def test_purge_deletes_all(cloud: Cloud) -> None:
    place = queues(cloud, "purge")
    cloud.send_many(place.dead, ["a", "b"])

    assert place.json("purge", "--yes") == [{"purged": 2}]
    assert cloud.depth(place.dead) == (0, 0)


def test_logs_of_a_local_queue_are_not_sought_on_aws(cloud: Cloud) -> None:
    place = queues(cloud, "nologs")

    done = place.run("logs", "x", "--log-group", "workers")

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert f"the queue is on {cloud.url}, and CloudWatch Logs would be asked on AWS" in done.err
    assert "--endpoint-url" in done.err


BAD = {
    "nobody to ask": (("purge",), "add --yes"),
    "no terminal": ((), "say what to do: list"),
    "delete without a choice": (("delete", "--yes"), "delete takes IDs"),
    "purge with a choice": (("purge", "--match", "a", "--yes"), "purge deletes all"),
    "show nothing": (("show",), "show takes the ID"),
    "logs of nobody knows where": (("logs", "x"), "--log-group (WATCHBOT_LOG_GROUP): is not known"),
    "no expression": (("list", "--match", "("), "is no regular expression"),
    "two places": (("list", "--stack-name", "s"), "both are set"),
    "not its queue": (("replay", "--dead-letter-queue-url", "URL"), "is the dead-letter queue"),
}


@pytest.mark.parametrize(("words", "problem"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(
    kept: tuple[Queues, list[str]], words: tuple[str, ...], problem: str
) -> None:
    place, _ = kept

    done = place.run(*(place.url if word == "URL" else word for word in words))

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert problem in done.err


def test_no_permission_is_one_line(cloud: Cloud, kept: tuple[Queues, list[str]]) -> None:
    place, _ = kept

    with cloud.guarded():
        done = place.run("list")

    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert "check the credentials, and the IAM policy" in done.err


def test_queue_without_a_dead_letter_queue_says_so(cloud: Cloud) -> None:
    done = run("dead-letter", "list", "--queue-url", cloud.queue("alone"))

    assert done.code == 2
    assert "has no dead-letter queue" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["summary"],
        ["replay"],
        ["replay", "--dry-run"],
        ["purge", "--yes"],
        ["list", "--max", "1"],
    ],
    ids=" ".join,
)
def test_empty_queue_is_called_empty(cloud: Cloud, words: list[str]) -> None:
    done = queues(cloud, "empty").run(*words)

    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[-1] == "watchbot: empty-dead is empty"


@pytest.mark.parametrize("words", [["list"], ["replay"], ["delete", "--yes"]], ids=" ".join)
def test_choice_that_meets_none_is_told_alone(cloud: Cloud, words: list[str]) -> None:
    some = queues(cloud, "choice")
    cloud.send(some.dead, "stays")

    done = some.run(*words, "--match", "no such")

    assert (done.code, done.out) == (0, "")
    assert done.err == "watchbot: no message of this choice in choice-dead\n"


@pytest.mark.parametrize("words", [["replay"], ["delete", "--yes"]], ids=" ".join)
def test_id_that_is_unknown_is_told_alone(cloud: Cloud, words: list[str]) -> None:
    some = queues(cloud, "unknown")
    cloud.send(some.dead, "stays")

    done = some.run(*words, "no-such-id")

    assert (done.code, done.out) == (1, "")
    assert done.err == "watchbot: not found in unknown-dead: no-such-id\n"
