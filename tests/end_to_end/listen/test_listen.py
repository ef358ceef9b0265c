"""A real `watchbot listen`, a real queue protocol, messages from independent clients."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
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


def test_each_of_500_messages_runs_exactly_once(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("many"), tmp_path / "ledger"
    bodies = [f"m{number}" for number in range(500)]
    cloud.send_many(queue, bodies)

    done = cloud.listen(queue, "--concurrency", "16", "--", f'echo "$Message" >> {ledger}')

    assert done.returncode == 0, done.stderr
    assert sorted(ledger.read_text().split()) == sorted(bodies)
    assert cloud.depth(queue) == (0, 0)


PRINT_ALL = """python3 -c '
import hashlib, json, os, sys
body = sys.stdin.buffer.read()
sys.stdin.seek(0)
file = os.environ.get("MessageFile")
print(json.dumps({
    "stdin": hashlib.sha256(body).hexdigest(),
    "again": hashlib.sha256(sys.stdin.buffer.read()).hexdigest(),
    "Message": "Message" in os.environ,
    "same": os.environ.get("Message", "").encode() == body,
    "file": file and hashlib.sha256(open(file, "rb").read()).hexdigest(),
    "mode": file and oct(os.stat(file).st_mode & 0o777),
    "Subject": os.environ["Subject"],
    "leader": os.getsid(0) == os.getpgid(0),
}))'"""


def run_and_look(cloud: Cloud, queue: str) -> dict[str, Any]:
    """What one worker saw of its message."""
    done = cloud.listen(queue, PRINT_ALL)
    assert done.returncode == 0, done.stderr
    said = [line.partition("] {")[2] for line in done.stdout.splitlines() if "] {" in line]
    seen: dict[str, Any] = json.loads("{" + said[0])
    return seen


@pytest.mark.parametrize(
    ("size", "in_variable"), [(131_063, True), (131_064, False), (1_048_576, False)]
)
def test_body_of_any_size_reaches_the_worker(cloud: Cloud, size: int, in_variable: bool) -> None:
    queue = cloud.queue(f"size-{size}", MaximumMessageSize="1048576")
    cloud.send(queue, "x" * size)

    seen = run_and_look(cloud, queue)

    assert seen["stdin"] == seen["again"]
    assert seen["Message"] is in_variable
    assert seen["same"] is in_variable
    assert (seen["file"] is None) is in_variable
    if not in_variable:
        assert seen["file"] == seen["stdin"]
        assert seen["mode"] == "0o600"
    assert seen["leader"]


@pytest.mark.parametrize("code", ["\\u0000", "\\ud800"], ids=["NUL", "lone surrogate"])
def test_message_that_no_variable_can_hold_is_in_a_file(cloud: Cloud, code: str) -> None:
    queue = cloud.queue(f"strange-{code[2:]}")
    cloud.send(queue, '{"Subject": "s", "Message": "a' + code + 'b"}')

    seen = run_and_look(cloud, queue)

    assert not seen["Message"]
    assert seen["file"] == seen["stdin"]


def test_attributes_that_no_variable_can_hold_are_in_a_file(cloud: Cloud) -> None:
    queue = cloud.queue("many-attributes")
    value = "é" * 30_000  # six bytes each, as JSON
    cloud.send(queue, "x", MessageAttributes={"a": {"DataType": "String", "StringValue": value}})
    look = (
        'echo "<${MessageAttributes-none}|$Message>"; stat -c %a "$MessageAttributesFile"; '
        "grep -o 'u00e9' \"$MessageAttributesFile\" | wc -l"
    )

    done = cloud.listen(queue, look)

    said = [line.rpartition("] ")[2] for line in done.stdout.splitlines()]
    assert {"<none|x>", "600", "30000"} <= set(said)


@pytest.mark.parametrize("body", ["short", "x" * 140_000], ids=["short", "long"])
def test_worker_may_have_no_standard_input(cloud: Cloud, body: str) -> None:
    queue = cloud.queue(f"no-stdin-{len(body)}")
    cloud.send(queue, body)
    look = 'readlink /proc/self/fd/0; wc -c < "$MessageFile"; echo "${#Message} long"; exec sh'

    done = cloud.listen(queue, "--no-stdin", look)

    said = [line.rpartition("] ")[2] for line in done.stdout.splitlines()]
    in_variable = len(body) if len(body) < 131_064 else 0
    assert {"/dev/null", str(len(body)), f"{in_variable} long"} <= set(said)
    assert "completed" in done.stdout  # the shell has not run the message as its commands


def test_sns_message_without_subject_is_opened(cloud: Cloud) -> None:
    queue = cloud.queue("no-subject")
    topic = cloud.topic("no-subject-topic", queue)
    cloud.aws("sns", "publish", "--topic-arn", topic, "--message", "plain words")

    done = cloud.listen(queue, 'echo "<$Subject|$Message|$TopicArn>"')

    assert f"<|plain words|{topic}>" in done.stdout


def test_raw_delivery_is_passed_as_it_is(cloud: Cloud) -> None:
    queue = cloud.queue("raw")
    topic = cloud.topic("raw-topic", queue, raw=True)
    cloud.sns.publish(
        TopicArn=topic,
        Subject="lost with raw delivery",
        Message='{"a": 1}',
        MessageAttributes={"colour": {"DataType": "String", "StringValue": "red"}},
    )

    done = cloud.listen(queue, 'echo "<$Subject|$Message|$MessageAttributes>"')

    assert '<|{"a": 1}|{"colour": {"Type": "String", "Value": "red"}}>' in done.stdout


def test_fifo_group_runs_one_at_a_time_and_in_order(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("order.fifo"), tmp_path / "ledger"
    for number in range(12):
        cloud.send(
            queue,
            f"{number % 3} {number}",
            MessageGroupId=f"g{number % 3}",
            MessageDeduplicationId=str(number),
        )

    done = cloud.listen(
        queue, "--concurrency", "8", f'echo "start $Message" >> {ledger}; sleep 0.05; '
        f'echo "end $Message" >> {ledger}'
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = ledger.read_text().splitlines()
    for group in range(3):
        mine = [line for line in lines if line.split()[1] == str(group)]
        wanted = [
            f"{word} {group} {number}"
            for number in range(group, 12, 3)
            for word in ("start", "end")
        ]
        assert mine == wanted


def test_fifo_group_waits_behind_a_message_that_went_back(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("behind.fifo"), tmp_path / "ledger"
    for number in range(3):
        cloud.send(queue, str(number), MessageGroupId="g", MessageDeduplicationId=str(number))

    done = cloud.listen(
        queue, "--concurrency", "3",
        f'echo $Message >> {ledger}; [ $Message != 0 ] || [ $ApproximateReceiveCount = 2 ]'
    )  # fmt: skip
    time.sleep(2.1)  # the backoff of the first receive
    again = cloud.listen(
        queue, "--concurrency", "3",
        f'echo $Message >> {ledger}; [ $Message != 0 ] || [ $ApproximateReceiveCount = 2 ]'
    )  # fmt: skip

    assert (done.returncode, again.returncode) == (0, 0)
    assert ledger.read_text().split() == ["0", "0", "1", "2"]
    assert cloud.depth(queue) == (0, 0)


def test_heartbeat_keeps_a_long_job_ours(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("long"), tmp_path / "ledger"
    cloud.send(queue, "x")

    done = cloud.listen(
        queue, "--visibility-timeout", "1", "--concurrency", "2",
        f"echo ran >> {ledger}; sleep 3.5"
    )  # fmt: skip

    assert done.returncode == 0
    assert ledger.read_text().split() == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_writable_filesystem_leaves_after_one_job(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("writable"), tmp_path / "ledger"
    cloud.send_many(queue, ["a", "b", "c"])

    done = cloud.listen(
        queue, "--writable-filesystem", "--concurrency", "4", f"echo $Message >> {ledger}"
    )

    assert done.returncode == 0
    assert len(ledger.read_text().split()) == 1
    assert cloud.depth(queue) == (2, 0)


def test_volumes_and_scratch_are_empty_for_the_next_job(cloud: Cloud, tmp_path: Path) -> None:
    queue, volume = cloud.queue("clean"), tmp_path / "volume"
    volume.mkdir()
    cloud.send_many(queue, ["a", "b", "c"])

    done = cloud.listen(
        queue, "--volumes", str(volume),
        f"echo found=$(ls -A {volume} $TMPDIR | grep -v : | tr -d '\\n'); "
        f"mkdir {volume}/d; touch {volume}/d/f {volume}/.h $WATCHBOT_SCRATCH/s; "
        f"chmod 0 {volume}/d; echo $WATCHBOT_SCRATCH > {tmp_path}/scratch",
    )  # fmt: skip

    assert done.returncode == 0
    assert done.stdout.count("] found=\n") == 3
    assert list(volume.iterdir()) == []
    scratch = Path((tmp_path / "scratch").read_text().strip())
    assert not scratch.exists()
    assert not scratch.parent.exists()


@pytest.mark.parametrize("below", [".", "deep/below"])
def test_volume_may_hold_the_scratch_directories(cloud: Cloud, tmp_path: Path, below: str) -> None:
    queue, volume = cloud.queue(f"tmp-{len(below)}"), tmp_path / "tmp"
    (volume / below).mkdir(parents=True)
    cloud.send_many(queue, ["a", "b"])

    done = cloud.listen(
        queue, "--volumes", str(volume),
        f"ls -A {volume}; touch {volume}/left $WATCHBOT_SCRATCH/left",
        env={"TMPDIR": str(volume / below)},
    )  # fmt: skip

    assert done.stdout.count("completed") == 2
    assert "left" not in done.stdout
    assert "not cleaned" not in done.stdout


def test_words_reach_the_command_unchanged(cloud: Cloud) -> None:
    queue = cloud.queue("words")
    cloud.send(queue, "x")
    words = ["two  spaces", "$Message", "'", '"', "*", "--queue-url", ""]

    done = cloud.listen(
        queue, "python3", "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", *words
    )

    assert json.dumps(words) in done.stdout


def test_shell_option_joins_the_words_as_ecs_watchbot_did(cloud: Cloud) -> None:
    queue = cloud.queue("shell")
    cloud.send(queue, "x")

    done = cloud.listen(queue, "--shell", "echo", "[$Message]", "|", "tr", "x", "y")

    assert "[y]" in done.stdout


def test_old_variable_names_set_the_options(cloud: Cloud) -> None:
    queue = cloud.queue("old-names")
    cloud.send(queue, "x")

    done = cloud.watchbot(
        "listen", "echo", "hello",
        env={
            "QueueUrl": queue,
            "writableFilesystem": "true",
            "structuredLogging": "true",
            "maxJobDuration": "5",
        },
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (hello,) = [line for line in lines if line["msg"] == "hello"]
    assert hello["watchbot_sqs_message_id"]
    assert hello["level"] == 30


@pytest.mark.parametrize("kept_back", [False, True])
def test_worker_credentials_can_be_left_out(cloud: Cloud, kept_back: bool) -> None:
    queue = cloud.queue("credentials")
    cloud.send(queue, "x")
    planted = {
        "AWS_ACCESS_KEY_ID": "planted-id",
        "AWS_SECRET_ACCESS_KEY": "planted-secret",
        "AWS_SESSION_TOKEN": "planted-token",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/planted",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/planted",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "planted-authorization",
    }
    option = ["--no-worker-credentials"] if kept_back else []

    done = cloud.listen(queue, *option, "env", env=planted)

    assert "MessageId=" in done.stdout
    assert "AWS_REGION=" in done.stdout  # where AWS is, is no secret
    assert done.stdout.count("planted") == (0 if kept_back else len(planted))


def test_fifo_messages_behind_a_poison_lose_no_receive(cloud: Cloud) -> None:
    dead = cloud.queue("burnt-dead.fifo")
    redrive = {"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 2}
    queue = cloud.queue("burnt.fifo", RedrivePolicy=json.dumps(redrive))
    for body in ("poison", "a", "b", "c"):
        cloud.send(queue, body, MessageGroupId="g", MessageDeduplicationId=body)

    done = cloud.listen(
        queue, "--concurrency", "4", "--max-backoff", "0",
        'echo "ran $Message try $ApproximateReceiveCount"; [ $Message != poison ]',
    )  # fmt: skip

    assert done.returncode == 0
    assert [message["Body"] for message in cloud.take_all(dead)] == ["poison"]
    for body in "abc":
        assert f"ran {body} try 1" in done.stdout


SNS = {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:1:t"}


@pytest.mark.parametrize(
    ("rule", "document", "given"),
    [
        ("open", {"To": "a", "Subject": "s", "Message": "m", "OrderId": 7}, None),
        ("open", {**SNS, "Message": "m"}, "m"),
        ("keep", {**SNS, "Subject": "s", "Message": "m"}, None),
        ("legacy", {**SNS, "Message": "m"}, None),
        ("legacy", {**SNS, "Subject": "s", "Message": "m"}, "m"),
    ],
)
def test_envelope_is_opened_as_asked(
    cloud: Cloud, rule: str, document: dict[str, object], given: str | None
) -> None:
    queue = cloud.queue("envelope")
    body = json.dumps(document)
    cloud.send(queue, body)

    done = cloud.listen(queue, "--envelope", rule, 'printf "%s" "$Message"')

    assert (body if given is None else given) in done.stdout.replace("] m", "m")
