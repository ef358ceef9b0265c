"""`watchbot dead-letter`, verb by verb, on queues of the embedded AWS."""

import json
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.dead_letters import Queues, queues
from tests.support.inside import run


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


def test_list_of_a_fifo_queue_tells_what_it_cannot_see(cloud: Cloud) -> None:
    place = queues(cloud, "unseen.fifo")
    for number in range(12):
        cloud.send(place.dead, "x", MessageGroupId="g", MessageDeduplicationId=str(number))

    done = place.run("list")

    assert (done.code, len(done.out.splitlines())) == (0, 1 + 10)
    assert "about 2 more are not seen" in done.err
    assert cloud.depth(place.dead) == (12, 0)


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
