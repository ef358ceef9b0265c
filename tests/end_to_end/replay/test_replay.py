"""One message, tried by hand."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.programs import read_until


@pytest.fixture
def message(tmp_path: Path) -> str:
    path = tmp_path / "message"
    path.write_text('{"n": 1}\n')
    return str(path)


def test_run_is_shown_with_all_that_it_got_and_what_would_follow(
    cloud: Cloud, message: str
) -> None:
    script = 'cat; echo " $Message" >&2; test -d "$WATCHBOT_SCRATCH"'

    done = cloud.watchbot(
        "replay", message, "--", f"{script}; exit 4", env={"QueueUrl": "http://x/1/q"}
    )

    assert done.returncode == 1
    assert '\n  Message={"n": 1}\n' in done.stdout
    assert "\n  ApproximateReceiveCount=1\n" in done.stdout
    assert "\n  standard input: the message, 8 bytes\n" in done.stdout
    assert "QueueUrl" not in done.stdout  # what the worker has in common with us
    assert re.search(r'\[worker\] \[\S+\] \{"n": 1\}', done.stdout)
    assert done.stdout.endswith(
        ": returned\n"
        "with a queue: the message goes back to the queue, and is tried again after a pause (2 s)\n"
    )


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("exit 0", 0, "the message is deleted\n"),
        ("exit 3", 1, "the message is deleted\nsomebody would be told, with the fingerprint "),
        (
            "exit 1",
            1,
            "the message goes back to the queue, and is tried again after a pause (2 s)\n",
        ),
        ("kill -9 $$", 1, "ended with signal SIGKILL after "),
    ],
)
def test_ending_says_what_would_become_of_the_message(
    script: str, code: int, said: str, cloud: Cloud, message: str
) -> None:
    done = cloud.watchbot("replay", message, "--", script)

    assert done.returncode == code
    assert said in done.stdout


def test_worker_of_lines_gets_its_line(cloud: Cloud, message: str) -> None:
    script = "while read -r m; do echo \"$m\"; echo '3 bad' >&3; done"

    done = cloud.watchbot("replay", "--warm", "lines", message, "--", script)

    assert done.returncode == 1
    assert r'"Message":"{\"n\": 1}"' in done.stdout
    assert "ended with bad after" in done.stdout


def test_dead_letter_is_run_as_before_and_stays_where_it_is(cloud: Cloud, tmp_path: Path) -> None:
    queue, letters = cloud.queue("tried"), cloud.queue("tried-dead")
    sent = cloud.send(
        queue, "x", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}}
    )
    dead = ("--max-attempts", "1", "--dead-letter-queue-url", letters)
    cloud.listen(queue, *dead, "echo 'lost'; exit 1")
    where = ("--dead-letter-queue-url", letters)

    by_id = cloud.watchbot("replay", *where, sent, "--", 'test "$MessageId" = ' + sent)
    first = cloud.watchbot("replay", *where, "--dead-letter", "--", "exit 0")
    exported = tmp_path / "letters"
    cloud.watchbot("dead-letter", "export", str(exported), *where)
    from_export = cloud.watchbot("replay", str(exported), "--", 'test "$MessageId" = ' + sent)
    unknown = cloud.watchbot("replay", *where, "no-such", "--", "exit 0")

    for done in (by_id, first, from_export):
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"\n  MessageId={sent}\n" in done.stdout
        assert '\n  MessageAttributes={"k": {"Type": "String", "Value": "v"}}\n' in done.stdout
    assert unknown.returncode == 2
    assert "no id of a letter in tried-dead" in unknown.stderr
    assert cloud.depth(letters) == (1, 0)


def test_debugger_has_the_terminal_and_the_message_in_a_file(cloud: Cloud, message: str) -> None:
    program = "import os; print(input(), open(os.environ['MessageFile']).read())"
    words = ("replay", "--debugger", "--max-job-duration", "1", message, "--")

    done = cloud.watchbot(*words, "python3", "-c", program, stdin="typed\n")

    assert done.returncode == 0, done.stderr
    assert "  standard input: the terminal\n" in done.stdout
    assert '\ntyped {"n": 1}\n' in done.stdout


def test_body_that_lies_in_s3_is_fetched_and_stays_there(cloud: Cloud, tmp_path: Path) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="bodies")
    s3.put_object(Bucket="bodies", Key="k", Body=b"from S3")
    pointer = tmp_path / "pointer"
    pointer.write_text('{"s3BucketName": "bodies", "s3Key": "k"}')
    words = ("replay", "--payload-buckets", "bodies", str(pointer), "--")

    done = cloud.watchbot(*words, "cat; cat $MessageFile")
    s3.delete_object(Bucket="bodies", Key="k")
    gone = cloud.watchbot(*words, "true")

    assert done.stdout.count("from S3") == 2, done.stderr
    assert gone.returncode == 1
    assert gone.stderr == "watchbot: payload: s3://bodies/k: there is no such object\n"


def test_worker_may_ask_as_of_a_watcher(cloud: Cloud, message: str) -> None:
    done = cloud.watchbot("replay", message, "--", "watchbot ctl retry-after 600; exit 4")

    assert "is tried again after a pause (600 s)" in done.stdout


def test_message_comes_by_standard_input(cloud: Cloud) -> None:
    answer = {"Messages": [{"MessageId": "m1", "Body": "hello"}]}

    done = cloud.watchbot("replay", "-", "--", "cat", stdin=json.dumps(answer))

    assert done.returncode == 0
    assert "[m1] hello" in done.stdout


def test_interrupt_ends_the_command(cloud: Cloud, message: str) -> None:
    with cloud.started("replay", message, "--", "echo begun; sleep 600") as process:
        read_until(process, "begun")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[0]

    assert process.returncode == 130
    assert "released" in said


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("MESSAGE",), "COMMAND is missing; give it after --, as in: watchbot replay message.json"),
        (("MESSAGE", "./work.sh"), "COMMAND is missing; give it after --"),
        (("--", "true"), "MESSAGE is missing; give a file, the id of a dead letter"),
        (("none", "--", "true"), "'none' is no file; to take it for the id of a dead letter, name"),
        (("--dead-letter", "--", "true"), "none is set; name a stack or a queue"),
        (("MESSAGE", "--", "no-such"), "cannot run 'no-such': no such command on the PATH"),
        (
            ("--debugger", "--warm", "lines", "MESSAGE", "--", "true"),
            "--debugger (WATCHBOT_DEBUGGER)",
        ),
        (("MESSAGE", "OTHER", "--", "true"), "unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line(
    words: tuple[str, ...], problem: str, cloud: Cloud, message: str
) -> None:
    done = cloud.watchbot("replay", *(message if word == "MESSAGE" else word for word in words))

    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
