"""What `watchbot explain` tells of messages that real watchers have had."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.task_events import an_event

SCRIPT = 'echo "try $ApproximateReceiveCount of $Message"; test $ApproximateReceiveCount = 2'
TASK = "0123456789abcdef0123456789abcdef"


def tried(cloud: Cloud, queue: str, *options: str) -> str:
    """The log of a watcher that tries the queue's message until it is gone."""
    done = cloud.watchbot(
        *("listen", "--queue-url", queue, "--exit-when-empty", "--poll-wait", "1"),
        *("--max-backoff", "0", *options, SCRIPT),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", [(), ("--structured-logging",)], ids=["text", "JSON"])
def test_timeline_from_a_log(form: tuple[str, ...], cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue(f"explained{len(form)}")
    sent = cloud.send(queue, "it")
    log = tmp_path / "log"
    log.write_text(tried(cloud, queue, *form))

    page = cloud.watchbot("explain", sent, "--log", str(log))
    piped = cloud.watchbot("explain", sent, "--log", "-", "--json", stdin=log.read_text())
    unknown = cloud.watchbot("explain", "no-such", "--log", str(log))

    assert page.returncode == 0, page.stderr
    assert "\ntry 1\n" in page.stdout
    assert "said      try 1 of it\n" in page.stdout
    assert "failed: exit code 1\n" in page.stdout
    assert page.stdout.endswith("now  deleted, as it was completed: exit code 0\n")
    facts = json.loads(piped.stdout)
    assert [(each["receives"], each["outcome"], each["said"]) for each in facts["tries"]] == [
        (1, "failed", ["try 1 of it"]),
        (2, "completed", ["try 2 of it"]),
    ]
    assert all(each["duration_s"] > 0 for each in facts["tries"])
    assert unknown.returncode == 1
    assert unknown.stdout == "message no-such\nnow  nothing is known of it here\n"


def test_dead_letter_says_why_and_stays(cloud: Cloud) -> None:
    letters = cloud.queue("explained-dead")
    policy = json.dumps({"deadLetterTargetArn": cloud.arn(letters), "maxReceiveCount": 9})
    queue = cloud.queue("explained-lost", RedrivePolicy=policy)
    sent = cloud.send(queue, "it")
    cloud.listen(queue, "--max-attempts", "1", "echo bad; exit 7")

    done = cloud.watchbot("explain", sent, "--queue-url", queue)

    assert done.returncode == 0, done.stderr
    assert "  | bad\n" in done.stdout
    assert done.stdout.endswith(
        "now  in the dead-letter queue explained-dead: given up by its watcher at receive 1, "
        "after exit code 7\n"
    )
    assert cloud.depth(letters) == (1, 0)


STREAMS = [f"jobs/worker/{'f' * 32}", f"jobs/worker/{TASK}"]
REASON = "Your Spot Task was interrupted."


def logged(cloud: Cloud, lines: list[str]) -> None:
    """Puts lines into CloudWatch Logs: those of each try into a stream of its own."""
    logs: Any = cloud.client("logs")
    logs.create_log_group(logGroupName="jobs")
    for stream in STREAMS:
        logs.create_log_stream(logGroupName="jobs", logStreamName=stream)
    at, number = int(time.time() * 1000), -1
    for offset, line in enumerate(lines):
        number += "] received" in line
        event = {"timestamp": at + offset, "message": line}
        logs.put_log_events(logGroupName="jobs", logStreamName=STREAMS[number], logEvents=[event])


def recorded(cloud: Cloud, database: str) -> None:
    """Records that the task of the second stream was interrupted."""
    events = cloud.queue("explained-events")
    arn = f"arn:aws:ecs:us-east-1:123456789012:task/blue/{TASK}"
    stopped = {"stopCode": "SpotInterruption", "stoppedReason": REASON}
    cloud.send(events, an_event(2, "STOPPED", taskArn=arn, **stopped))
    waits = ("--exit-when-empty", "--poll-wait", "1")
    done = cloud.watchbot("record", "--queue-url", events, "--database", database, *waits)
    assert done.returncode == 0, done.stderr


def test_cloudwatch_and_the_record_say_which_container_died_of_what(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue, database = cloud.queue("explained-logged"), f"sqlite:///{tmp_path}/ecs.db"
    sent = cloud.send(queue, "it")
    lines = tried(cloud, queue).splitlines()
    logged(cloud, [line for line in lines if sent in line and "completed" not in line])
    recorded(cloud, database)

    done = cloud.watchbot("explain", sent, "--log-group", "jobs", "--database", database)

    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("try 2\n")
    assert f"by        {STREAMS[0]}\n" in first
    assert f"by        {STREAMS[1]}\n" in second
    assert f"its task  interrupted: {REASON}" in second
    assert "ended     no line tells its end\n" in second
    assert "now  in hand of that watcher; or, if it died, in the queue again" in second


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("m",), 2, "no source is named; name a log or a queue: --log (WATCHBOT_LOG)"),
        (("m", "--log", "/none"), 2, "'/none' is no file that can be read; check the path"),
        ((), 2, "Missing argument 'MESSAGE-ID'"),
        (("m", "--log-group", "none"), 1, "The specified log group does not exist"),
        (("m", "--queue-url", "x"), 2, "must be the URL of a queue"),
    ],
)
def test_bad_input_is_one_line(
    words: tuple[str, ...], code: int, problem: str, cloud: Cloud
) -> None:
    done = cloud.watchbot("explain", *words)

    assert done.returncode == code
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_source_that_cannot_be_asked_is_named(cloud: Cloud, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[Thu, 28 Jul 2016 00:12:37 GMT] [watcher] [m] received receives=1\n")
    queue = cloud.queue("explained-alone")
    where = ("--queue-url", queue, "--database", f"sqlite:///{tmp_path}/none.db")

    done = cloud.watchbot("explain", "m", "--log", str(log), *where)

    assert done.returncode == 0, done.stderr
    assert "not asked: the dead letters: " in done.stdout
    assert "not asked: the record of tasks: " in done.stdout
