"""`watchbot listen --max-attempts`: dead letters that explain themselves."""

import json
from typing import Any

import pytest

from tests.support.cloud import Cloud

WORKER = ("/bin/sh", "-c", "echo first; echo broken; exit 2")
ONCE_MORE = ("--max-backoff", "0")  # what goes back is tried at once


def text(message: dict[str, Any], name: str) -> str:
    value: str = message["MessageAttributes"][name]["StringValue"]
    return value


def attributes(count: int) -> dict[str, dict[str, str]]:
    return {f"own{n}": {"DataType": "String", "StringValue": str(n)} for n in range(count)}


def test_message_that_failed_its_last_attempt_says_why(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("why")
    notices = cloud.queue("why-notices")
    topic = cloud.topic("why", notices)
    message_id = cloud.send(queue, "order", MessageAttributes=attributes(1))

    done = cloud.listen(
        queue, "--max-attempts", "2", *ONCE_MORE, "--notification-topic", topic, *WORKER
    )

    assert done.returncode == 0
    assert cloud.depth(queue) == (0, 0)
    [letter] = cloud.take_all(dead)
    assert (letter["Body"], text(letter, "own0")) == ("order", "0")
    assert text(letter, "watchbot.reason") == "exit code 2"
    assert text(letter, "watchbot.exit_code") == "2"
    assert text(letter, "watchbot.tail") == "first\nbroken"
    assert 0 <= float(text(letter, "watchbot.duration")) < 60
    known = json.loads(text(letter, "watchbot.message"))
    assert (known["id"], known["receives"]) == (message_id, 2)
    # Notices are published side by side, and a standard queue keeps no order: ask by receives.
    first, last = sorted(
        cloud.notices(notices), key=lambda notice: "Receives: 2" in notice["Message"]
    )
    assert "failed: the message goes back to the queue" in first["Message"]
    assert "failed: the message is in the dead-letter queue" in last["Message"]
    assert (
        text(letter, "watchbot.fingerprint") == (last["MessageAttributes"]["fingerprint"]["Value"])
    )


def test_worker_gets_a_replayed_message_as_it_was_however_many_attributes_it_has(
    cloud: Cloud,
) -> None:
    queue, dead = cloud.queue_with_dead_letters("many")
    first_id = cloud.send(queue, "order", MessageAttributes=attributes(10))

    cloud.listen(queue, "--max-attempts", "1", *WORKER)
    # Named, it is sent by us. All of them SQS moves itself, with what was noted: see below.
    listed = cloud.watchbot("dead-letter", "--json", "--queue-url", queue, "list")
    letter_id = json.loads(listed.stdout)["id"]
    replay = cloud.watchbot("dead-letter", "--queue-url", queue, "replay", letter_id)

    assert (replay.returncode, replay.stdout) == (0, "1 replayed, 0 kept\n")
    [message] = cloud.take_all(queue)
    assert json.loads(text(message, "watchbot.message"))["first"] == first_id
    assert cloud.depth(dead) == (0, 0)
    cloud.send(queue, message["Body"], MessageAttributes=message["MessageAttributes"])
    done = cloud.listen(queue, "/bin/sh", "-c", 'echo "$MessageAttributes"')
    line = next(line for line in done.stdout.splitlines() if "own0" in line)
    seen = {name: each["Value"] for name, each in json.loads(line[line.index("{") :]).items()}
    assert seen == {f"own{n}": str(n) for n in range(10)}


def test_worker_sees_nothing_of_an_earlier_death(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("again")
    cloud.send(queue, "order", MessageAttributes=attributes(10))
    cloud.listen(queue, "--max-attempts", "1", *WORKER)
    [letter] = cloud.take_all(dead)
    # As SQS's own task moves it, with all that was noted.
    cloud.send(queue, letter["Body"], MessageAttributes=letter["MessageAttributes"])

    done = cloud.listen(queue, "/bin/sh", "-c", 'echo "$MessageAttributes"')

    line = next(line for line in done.stdout.splitlines() if "own0" in line)
    assert set(json.loads(line[line.index("{") :])) == {f"own{n}" for n in range(10)}


def test_last_receive_that_sqs_allows_is_explained_too(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("receives", receives=2)
    cloud.send(queue, "order")

    cloud.listen(queue, "--max-attempts", "9", *ONCE_MORE, *WORKER)

    [letter] = cloud.take_all(dead)
    assert json.loads(text(letter, "watchbot.message"))["receives"] == 2


def test_fifo_group_goes_on_behind_a_message_that_was_given_up(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("group.fifo")
    for number in range(3):
        cloud.send(queue, f"m{number}", MessageGroupId="g", MessageDeduplicationId=f"d{number}")
    worker = ("/bin/sh", "-c", 'echo "ran $Message"; [ "$Message" != m0 ]')

    done = cloud.listen(queue, "--max-attempts", "2", *ONCE_MORE, *worker)

    ran = [line.rpartition("ran ")[2] for line in done.stdout.splitlines() if "ran m" in line]
    assert ran == ["m0", "m0", "m1", "m2"]
    [letter] = cloud.take_all(dead)
    assert (letter["Body"], letter["Attributes"]["MessageGroupId"]) == ("m0", "g")


def test_dead_letter_queue_can_be_named(cloud: Cloud) -> None:
    queue, dead = cloud.queue("named"), cloud.queue("named-elsewhere")
    cloud.send(queue, "order")

    done = cloud.listen(queue, "--max-attempts", "1", "--dead-letter-queue-url", dead, *WORKER)

    assert done.returncode == 0
    assert (cloud.depth(queue), cloud.depth(dead)) == ((0, 0), (1, 0))


@pytest.mark.parametrize(
    ("dead", "code", "problem"),
    [
        pytest.param(None, 2, "the queue names no dead-letter queue", id="none"),
        pytest.param("bad", 2, "is the queue itself", id="itself"),
        pytest.param("bad-dead.fifo", 2, "one queue is FIFO, and the other is not", id="type"),
        pytest.param("bad-gone", 1, "check its name, account and region", id="gone"),
    ],
)
def test_no_message_is_touched_without_a_dead_letter_queue(
    cloud: Cloud, dead: str | None, code: int, problem: str
) -> None:
    queue = cloud.queue("bad")
    url = f"{queue.rpartition('/')[0]}/{dead}"
    words = ("--dead-letter-queue-url", url) if dead else ()

    done = cloud.listen(queue, "--max-attempts", "1", *words, *WORKER)

    assert done.returncode == code
    assert problem in done.stderr
