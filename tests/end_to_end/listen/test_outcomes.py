"""An exit code decides what becomes of a message, and who is told."""

import re
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.cloud import Cloud

HIDDEN = "hidden"
GONE = "gone"


@dataclass(frozen=True)
class Row:
    """A line of the exit-code table."""

    body: str
    outcome: str
    message: str
    notice: str | None


TABLE = [
    Row("exit 0", "completed", GONE, None),
    Row("exit 3", "rejected", GONE, "exit code 3"),
    Row("exit 4", "returned", HIDDEN, None),
    Row("exit 1", "failed", HIDDEN, "exit code 1"),
    Row("exit 127", "failed", HIDDEN, "exit code 127"),
    Row("kill -SEGV $$", "failed", HIDDEN, "signal SIGSEGV"),
    Row("sleep 60", "timed_out", HIDDEN, "ran over 1 s"),
]


@pytest.fixture(scope="module")
def played(cloud: Cloud) -> dict[str, Any]:
    """Every row of the table has been run, each in a queue message sent by `aws`.

    What times out has a watcher of its own: beside it, the others would outlive their backoff.
    """
    quick, slow = cloud.queue("table"), cloud.queue("table-slow")
    notices = cloud.queue("table-notices")
    topic = cloud.topic("table-topic", notices)
    ids = {}
    for row in TABLE:
        url = slow if row.outcome == "timed_out" else quick
        sent = cloud.aws("sqs", "send-message", "--queue-url", url, "--message-body", row.body)
        ids[row.body] = sent["MessageId"]
    log = ""
    for url in (quick, slow):
        done = cloud.listen(
            url,
            *("--notification-topic", topic, "--concurrency", str(len(TABLE))),
            *("--max-job-duration", "1", "--visibility-timeout", "60", "--kill-grace", "1"),
            'echo "I do: $Message"; eval "$Message"',
        )
        assert done.returncode == 0, done.stderr
        log += done.stdout
    time.sleep(2.1)  # the backoff of a first receive is 2 s
    returned = [*cloud.take_all(quick), *cloud.take_all(slow)]
    return {
        "ids": ids,
        "log": log,
        "returned": {message["Body"]: message for message in returned},
        "notices": cloud.notices(notices),
    }


each_row = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.body)


@each_row
def test_exit_code_decides_what_becomes_of_the_message(played: dict[str, Any], row: Row) -> None:
    returned = played["returned"].get(row.body)

    if row.message == GONE:
        assert returned is None
    else:
        assert returned["Attributes"]["ApproximateReceiveCount"] == "2"


def test_message_that_goes_back_waits_for_its_backoff(cloud: Cloud) -> None:
    queue = cloud.queue("backoff")
    cloud.send(queue, "exit 4")

    done = cloud.listen(queue, 'eval "$Message"')
    hidden = cloud.depth(queue)
    time.sleep(2.1)  # a real clock: the backoff of a first receive is 2 s

    assert done.returncode == 0
    assert hidden == (0, 1)
    assert cloud.depth(queue) == (1, 0)


@each_row
def test_topic_is_told_of_what_went_wrong_only(played: dict[str, Any], row: Row) -> None:
    message_id = played["ids"][row.body]
    mine = [notice for notice in played["notices"] if message_id in notice["Message"]]

    if row.notice is None:
        assert mine == []
        return
    (notice,) = mine
    assert row.notice in notice["Subject"]
    assert row.outcome in notice["Subject"]
    assert f"I do: {row.body}" in notice["Message"]
    assert notice["MessageAttributes"]["outcome"]["Value"] == row.outcome


@each_row
def test_log_tells_the_outcome(played: dict[str, Any], row: Row) -> None:
    mine = [line for line in played["log"].splitlines() if played["ids"][row.body] in line]

    assert any(f"[worker] [{played['ids'][row.body]}] I do: {row.body}" in line for line in mine)
    failure = "[failure] " if row.notice else ""
    assert any(f"{failure}{row.outcome} ending=" in line for line in mine)


def test_other_codes_reject_and_return_where_that_is_asked_for(cloud: Cloud) -> None:
    queue = cloud.queue("other-codes")
    cloud.send_many(queue, ["0", "3", "4", "65", "75"])
    words = ("--reject-codes", "64-66", "--return-codes", "4,75", "--exit-wait", "0")

    done = cloud.listen(queue, *words, 'exit "$Message"')

    ends = re.findall(r"(\w+) ending=\"exit code (\d+)\"", done.stdout)
    assert {code: outcome for outcome, code in ends} == {
        "0": "completed",
        "3": "failed",
        "4": "returned",
        "65": "rejected",
        "75": "returned",
    }
