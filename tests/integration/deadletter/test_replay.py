"""`watchbot dead-letter replay`: what is sent again, how, and what stays."""

import json

from tests.support.cloud import Cloud
from tests.support.dead_letters import BYTES, RED, Queues, given_up, queues


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
    noted = sent["order"]["MessageAttributes"].pop("watchbot.message")
    assert json.loads(noted["StringValue"]) == {"first": "m"}
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


def test_message_that_its_queue_refuses_is_kept(cloud: Cloud) -> None:
    place = Queues(cloud, cloud.queue("small"), cloud.queue("small-by-hand"))  # SQS moves none
    cloud.sqs.set_queue_attributes(QueueUrl=place.url, Attributes={"MaximumMessageSize": "1024"})
    big = cloud.send(place.dead, "x" * 2000)
    cloud.send(place.dead, "y")

    done = place.run("replay", "--dead-letter-queue-url", place.dead)

    assert (done.code, done.out) == (1, "1 replayed, 1 kept\n")
    assert f"watchbot: {big}: InvalidParameterValue" in done.err
    assert (cloud.depth(place.dead), cloud.depth(place.url)) == ((1, 0), (1, 0))
