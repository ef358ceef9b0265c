"""`watchbot send`: what it refuses to begin with, what it sends, and what it says about it."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.destination import FakeDestination, no_pause
from watchbot.display import display
from watchbot.errors import Denied, SettingError, WatchbotError
from watchbot.send import Streams, send
from watchbot.send.lines import CHUNK_BYTES, lines
from watchbot.send.options import planned
from watchbot.send.service import carry_out
from watchbot.settings.send import SendSettings
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import MESSAGE_BYTES, Unsent
from watchbot.sqs.publish import Publisher

TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
FIFO = TOPIC + ".fifo"

REFUSED = Unsent(code="InvalidParameterValue", text="no")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Command:
    """A `watchbot send` to `destination`, with streams in memory."""

    def __init__(self, destination: FakeDestination | None = None, **given: Any) -> None:
        self.destination = destination or FakeDestination()
        self.settings = SendSettings(**{"topic_arn": TOPIC, **given})
        self.out: io.StringIO = io.StringIO()
        self.err: io.StringIO = io.StringIO()

    async def run(self, source: int = -1, *, quiet: bool = False) -> int:
        """Runs the command with `source` as standard input; returns the exit code."""
        publisher = Publisher(self.destination, pause=no_pause)
        streams = Streams(stdin=source, out=self.out, err=self.err)
        with anyio.fail_after(5):
            return await carry_out(planned(self.settings), publisher, streams, quiet=quiet)

    async def run_on(self, text: bytes) -> int:
        """Runs the command with `text` piped into it; returns the exit code."""
        with a_pipe() as (source, sink):
            os.write(sink, text)
            os.close(sink)
            return await self.run(source)


@contextmanager
def a_pipe() -> Iterator[tuple[int, int]]:
    """The ends of a pipe; the one for writing is the caller's to close."""
    source, sink = os.pipe()
    yield source, sink
    os.close(source)


BAD = [
    pytest.param({"topic_arn": None}, "--topic-arn (WATCHBOT_TOPIC_ARN)", id="no destination"),
    pytest.param({"topic_arn": None}, "QueueUrl", id="no destination, old name"),
    pytest.param({"queue_url": QUEUE}, "both are set", id="two destinations"),
    pytest.param({"body": None}, "BODY, --file (WATCHBOT_FILE): nothing", id="no message"),
    pytest.param({"file": "-"}, "both are given", id="body and file"),
    pytest.param({"topic_arn": FIFO}, "--group-id (WATCHBOT_GROUP_ID): is missing", id="no group"),
    pytest.param({"dedup_id": "d"}, "--dedup-id (WATCHBOT_DEDUP_ID): only", id="dedup, no FIFO"),
    pytest.param(
        {"topic_arn": FIFO, "group_id": "g", "dedup_id": "d", "body": None, "file": "-"},
        "--dedup-id (WATCHBOT_DEDUP_ID): with --file",
        id="dedup and file",
    ),
    pytest.param({"group_id": "a b"}, "--group-id", id="space in group"),
    pytest.param({"group_id": "g" * 129}, "--group-id", id="long group"),
    pytest.param({"topic_arn": FIFO, "group_id": "g", "dedup_id": "é"}, "--dedup-id", id="dedup"),
    pytest.param({"subject": "s" * 100}, "--subject (WATCHBOT_SUBJECT): must", id="long subject"),
    pytest.param({"subject": "a\nb"}, "--subject", id="two lines of subject"),
    pytest.param({"subject": "a\x1b"}, "--subject", id="control in subject"),
    pytest.param({"attribute": ("a",)}, "--attribute (WATCHBOT_ATTRIBUTE): must", id="no value"),
    pytest.param({"attribute": ("a=",)}, "--attribute", id="empty value"),
    pytest.param({"attribute": ("=v",)}, "--attribute", id="no name"),
    pytest.param({"attribute": ("a b=v",)}, "--attribute", id="space in name"),
    pytest.param({"attribute": ("AWS.x=v",)}, "--attribute", id="name of AWS"),
    pytest.param({"attribute": ("a..b=v",)}, "--attribute", id="two dots"),
    pytest.param({"attribute": ("a.=v",)}, "--attribute", id="dot at the end"),
    pytest.param({"attribute": ("a:Text=v",)}, "type", id="type"),
    pytest.param({"attribute": ("a:Number=three",)}, "not a number", id="number"),
    pytest.param({"attribute": ("a:Binary=?",)}, "not base64", id="base64"),
    pytest.param(
        {"attribute": tuple(f"a{n}=v" for n in range(11))}, "at most 10", id="too many attributes"
    ),
]


@pytest.mark.parametrize(("given", "said"), BAD)
async def test_what_cannot_be_sent_is_said_before_anything_is(
    given: dict[str, Any], said: str
) -> None:
    settings = SendSettings(**{"topic_arn": TOPIC, "body": "hello", **given})

    with pytest.raises(SettingError) as error:
        await send(settings)

    assert said in str(error.value)
    assert "\n" not in str(error.value)


async def test_message_holds_what_was_asked_for() -> None:
    command = Command(
        body="hello",
        subject="Hallo, Wörld",
        group_id="tenant",
        attribute=("a=b=c", "n:Number=-3.5e2", "bytes:Binary=AP8=", "d.e:String.kind=x"),
    )

    assert await command.run() == 0

    [message] = command.destination.taken
    assert (message.body, message.subject) == ("hello", "Hallo, Wörld")
    assert (message.group_id, message.dedup_id) == ("tenant", None)
    assert message.attributes == {
        "a": Attribute(type="String", value="b=c"),
        "n": Attribute(type="Number", value="-3.5e2"),
        "bytes": Attribute(type="Binary", value="AP8="),
        "d.e": Attribute(type="String.kind", value="x"),
    }
    assert command.out.getvalue() == "id-hello\n"
    assert command.err.getvalue() == ""


async def test_body_of_standard_input_is_sent_as_it_is() -> None:
    command = Command(body="-")

    assert await command.run_on(b" two\r\nlines\n") == 0
    assert command.destination.bodies == [" two\r\nlines\n"]


@pytest.mark.parametrize("body", ["", "-"], ids=["argument", "standard input"])
async def test_empty_body_is_an_error(body: str) -> None:
    command = Command(body=body)

    with pytest.raises(SettingError, match="BODY: is empty"):
        await command.run_on(b"")


async def test_body_that_is_not_utf8_is_refused() -> None:
    command = Command(body="-")

    assert await command.run_on(b"a\xff") == 1
    assert command.err.getvalue() == (
        "watchbot: not sent: InvalidMessageContents: its character 2, the byte 0xFF, is not UTF-8\n"
    )


async def test_endless_body_is_refused_without_reading_it_all() -> None:
    command = Command(body="-")

    zeros = os.open("/dev/zero", os.O_RDONLY)

    assert await command.run(zeros) == 1

    os.close(zeros)
    assert "MessageTooLarge" in command.err.getvalue()


async def test_error_of_the_call_is_left_to_tell_about_one_message() -> None:
    denied = Denied(service="SNS", operation="publish_batch", code="AccessDenied", text="no")
    command = Command(FakeDestination(errors=[denied]), body="hello")

    with pytest.raises(Denied):
        await command.run()

    assert command.err.getvalue() == ""


async def test_each_line_is_a_message() -> None:
    command = Command(file="-", subject="s", attribute=("a=b",))

    assert await command.run_on(b"one\ntwo \r\n\n  \n\r\n three") == 0

    assert command.destination.bodies == ["one", "two ", " three"]
    assert {message.subject for message in command.destination.taken} == {"s"}
    assert all(message.attributes for message in command.destination.taken)
    assert command.out.getvalue() == "id-one\nid-two \nid- three\n"
    assert command.err.getvalue() == "watchbot: blank lines skipped: 3\n"


async def test_lines_of_a_file_by_name(tmp_path: Path) -> None:
    bodies = [f"message {number}" for number in range(5000)]
    file = tmp_path / "lines"
    file.write_text("\n".join(bodies) + "\n")
    command = Command(file=str(file))

    assert await command.run() == 0

    assert command.destination.bodies == bodies
    assert command.out.getvalue().splitlines() == [f"id-{body}" for body in bodies]


async def test_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    command = Command(file=str(tmp_path / "none"))

    with pytest.raises(SettingError, match=r"--file \(WATCHBOT_FILE\): cannot read .*none"):
        await command.run()


@pytest.mark.parametrize("given", [{"body": "-"}, {"file": "-"}], ids=["body", "lines"])
async def test_directory_as_standard_input_is_an_error(
    given: dict[str, Any], tmp_path: Path
) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    command = Command(**given)

    with pytest.raises(WatchbotError, match="cannot read the messages to send: Is a directory"):
        await command.run(directory)

    assert command.err.getvalue() == ""
    os.close(directory)


async def test_slow_lines_are_sent_as_they_come() -> None:
    command = Command(file="-")

    with a_pipe() as (source, sink):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(command.run, source)
            for count in (1, 2):
                os.write(sink, b"line\n")
                with anyio.fail_after(5):
                    while len(command.destination.taken) < count:
                        await anyio.sleep(0.001)  # a destination announces nothing
            os.close(sink)

    assert command.destination.calls == [["line"], ["line"]]


async def test_fifo_messages_get_an_id_each() -> None:
    command = Command(FakeDestination(fifo=True), topic_arn=FIFO, group_id="g", file="-")

    assert await command.run_on(b"same\nsame\n") == 0

    ids = [message.dedup_id for message in command.destination.taken]
    assert all(ids)
    assert len(set(ids)) == 2


async def test_fifo_message_keeps_the_id_it_was_given() -> None:
    command = Command(
        FakeDestination(fifo=True), topic_arn=FIFO, group_id="g", dedup_id="d", body="b"
    )

    assert await command.run() == 0
    assert [message.dedup_id for message in command.destination.taken] == ["d"]


async def test_lines_that_are_not_sent_are_named() -> None:
    command = Command(FakeDestination(refusals={"no": [REFUSED]}), file="-")

    assert await command.run_on(b"yes\nno\na\0\n\xffb\n\nyes\n") == 1

    assert command.destination.bodies == ["yes", "yes"]
    assert command.err.getvalue().splitlines() == [
        "watchbot: line 2: InvalidParameterValue: no",
        "watchbot: line 3: InvalidMessageContents: its character 2, U+0000, "
        "is one that SQS refuses",
        "watchbot: line 4: InvalidMessageContents: its character 1, the byte 0xFF, is not UTF-8",
        "watchbot: blank lines skipped: 1",
        "watchbot: 3 of 5 messages were not sent",
    ]


async def test_lines_that_are_not_sent_for_one_reason_are_one_line() -> None:
    destination = FakeDestination(fifo=True, refusals={"no": [REFUSED]})
    command = Command(destination, topic_arn=FIFO, group_id="g", file="-")

    assert await command.run_on(b"yes\n" * 9 + b"no\n" + b"yes\n" * 1000) == 1

    assert command.err.getvalue().splitlines() == [
        "watchbot: line 10: InvalidParameterValue: no",
        "watchbot: lines 11-1010: NotSent: a message before it in its group was not sent",
        "watchbot: 1,001 of 1,010 messages were not sent",
    ]


async def test_line_that_is_too_large_is_not_kept() -> None:
    large = b"x" * (MESSAGE_BYTES + 1)
    command = Command(file="-")
    text = b"one\n" + large * 2 + b"\ntwo\n" + large[1:] + b"\r\n"

    with a_pipe() as (source, sink):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, _write_all, sink, text)
            assert await command.run(source) == 1

    assert command.destination.bodies == ["one", "two", "x" * MESSAGE_BYTES]
    assert command.err.getvalue().startswith("watchbot: line 2: MessageTooLarge")


async def test_lines_after_a_call_that_failed_for_good_are_named() -> None:
    denied = Denied(service="SNS", operation="publish_batch", code="AccessDenied", text="no")
    destination = FakeDestination(fifo=True, errors=[None, denied])
    command = Command(destination, topic_arn=FIFO, group_id="g", file="-")

    with pytest.raises(Denied):
        await command.run_on(b"".join(b"%d\n" % number for number in range(100)))

    assert command.destination.bodies == [str(number) for number in range(10)]
    assert command.err.getvalue().splitlines() == [
        "watchbot: lines 11-20: AccessDenied: no",
        "watchbot: nothing after line 20 was sent",
    ]


async def test_quiet_says_nothing_but_what_went_wrong() -> None:
    command = Command(FakeDestination(refusals={"no": [REFUSED]}), body="no")

    assert await command.run(quiet=True) == 1
    assert command.err.getvalue() != ""

    command = Command(body="yes")

    assert await command.run(quiet=True) == 0
    assert command.out.getvalue() + command.err.getvalue() == ""


async def test_progress_is_shown_on_a_terminal_that_the_ids_do_not_go_to() -> None:
    command = Command(file="-")
    command.err = Terminal()

    assert await command.run_on(b"one\ntwo\n") == 0
    assert "messages" in command.err.getvalue()
    assert command.out.getvalue() == "id-one\nid-two\n"


async def test_progress_is_not_shown_among_the_ids() -> None:
    command = Command(file="-")
    command.out, command.err = Terminal(), Terminal()

    assert await command.run_on(b"one\ntwo\n") == 0
    assert command.err.getvalue() == ""


@pytest.mark.parametrize("installed", [True, False], ids=["rich", "no rich"])
def test_progress_lets_problems_through(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "rich", None)
    err = Terminal()

    with display(err, progress=True, total=None) as shown:
        shown.advance(10)
        shown.say("line 3: [bold]bad[/bold]")
        shown.advance(10)

    assert "watchbot: line 3: [bold]bad[/bold]\n" in err.getvalue()
    assert "1 messages" in err.getvalue() or "2 messages" in err.getvalue()


async def test_lines_come_whole_whatever_the_chunks_are() -> None:
    text = b"".join(b"%d:" % number + b"x" * (number * 37 % 1000) + b"\n" for number in range(2000))
    assert len(text) > 3 * CHUNK_BYTES

    with a_pipe() as (source, sink):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, _write_all, sink, text)
            found = [line async for part in lines(source, MESSAGE_BYTES) for line in part]

    assert found == text.splitlines()


def _write_all(sink: int, text: bytes) -> None:
    with open(sink, "wb") as file:
        file.write(text)
