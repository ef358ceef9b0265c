"""A queue that is paused by its tag, as a watcher sees it."""

import json
import re

import requests

from tests.support.cloud import Cloud
from tests.support.gate import Refuse, running_gate, through
from tests.support.programs import read_until, stop

PORT = ("--metrics-host", "127.0.0.1", "--metrics-port", "0", "--poll-wait", "1")
ONCE = ("--exit-when-empty", "--exit-wait", "0", "--poll-wait", "1")


def pause(cloud: Cloud, queue: str, reason: str) -> None:
    cloud.watchbot("pause", "--queue-url", queue, "--reason", reason)


def test_paused_queue_is_left_alone_and_the_watcher_says_why(cloud: Cloud) -> None:
    queue = cloud.queue("held")
    cloud.send(queue, "x")
    pause(cloud, queue, "a database moves")

    with cloud.started("listen", "--queue-url", queue, *PORT, "true") as watcher:
        said = read_until(watcher, "started")
        (url,) = re.findall(r"url=(\S+)", said)
        ready = requests.get(f"{url}/readyz", timeout=10)
        scraped = requests.get(f"{url}/metrics", timeout=10).text
        stop(watcher)

    [line] = re.findall(r"\] (paused .*)", said)
    assert re.fullmatch(r'paused reason="a database moves" by=arn:\S+ since=\S+', line)
    assert (ready.status_code, ready.text[:24]) == (200, "paused: a database moves")
    assert 'watchbot_paused{queue="held"} 1.0' in scraped
    assert cloud.depth(queue) == (1, 0)


def test_paused_queue_counts_as_empty_and_the_last_line_names_it(cloud: Cloud) -> None:
    held, works = cloud.queue("held-now"), cloud.queue("works-on")
    for queue in (held, works):
        cloud.send(queue, "x")
    cloud.sqs.tag_queue(QueueUrl=held, Tags={"watchbot:paused": "by hand"})

    done = cloud.watchbot("listen", "--queue-url", held, "--queue-url", works, *ONCE, "true")

    assert done.returncode == 0
    assert re.search(r'paused reason="by hand" queue=held-now', done.stdout)
    assert "stopped visible=1 in_flight=0 delayed=0 paused=held-now" in done.stdout
    assert (cloud.depth(held), cloud.depth(works)) == ((1, 0), (0, 0))


def test_tag_cannot_forge_a_line_of_the_log(cloud: Cloud) -> None:
    queue = cloud.queue("forged")
    forged = '\n{"level": 50}\r\n[watcher] failed \x1b[31m'
    cloud.sqs.tag_queue(QueueUrl=queue, Tags={"watchbot:paused": forged})

    for form in ((), ("--structured-logging",)):
        done = cloud.watchbot("listen", "--queue-url", queue, *form, *ONCE, "true")

        [line] = [each for each in done.stdout.splitlines() if "_watcher_" in each]
        assert "\x1b" not in done.stdout
        assert not form or json.loads(line)["reason"].startswith("__level_: 50_ _watcher_")


def test_watcher_that_may_not_read_tags_works_and_says_so_once(cloud: Cloud) -> None:
    queue = cloud.queue("blind")
    cloud.send(queue, "x")
    cloud.sqs.tag_queue(QueueUrl=queue, Tags={"watchbot:paused": ""})

    with running_gate(cloud.url) as gate:
        gate.rule = lambda operation, *_: (
            Refuse(403, "AccessDenied") if operation == "ListQueueTags" else None
        )
        done = cloud.watchbot(*("listen", "--queue-url", queue, *ONCE, "true"), env=through(gate))

    assert done.returncode == 0
    assert done.stdout.count("cannot be paused: sqs:ListQueueTags is refused") == 1
    assert cloud.depth(queue) == (0, 0)
