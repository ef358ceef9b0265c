import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbot.listen.environment import (
    Place,
    base_environment,
    message_bytes,
    message_texts,
    with_files,
    worker_environment,
)
from watchbot.settings.base import MAX_VARIABLE_BYTES
from watchbot.sqs.envelope import Content, open_envelope
from watchbot.sqs.message import Attribute, Message

PLACE = Place(worker=3, scratch="/scratch/1", deadline=1_700_000_000.5)


def environment(body: str = "hello", **more: Any) -> dict[bytes, bytes]:
    message = Message(id="m1", receipt="r", body=body, asked_at=0, **more)
    return worker_environment({b"PATH": b"/bin"}, message, open_envelope(message), PLACE)


def test_worker_gets_the_names_of_ecs_watchbot() -> None:
    variables = environment(
        system={
            "SentTimestamp": "1469664757000",
            "ApproximateFirstReceiveTimestamp": "1469664757042",
            "ApproximateReceiveCount": "2",
        }
    )

    assert variables == {
        b"PATH": b"/bin",
        b"Subject": b"",
        b"Message": b"hello",
        b"MessageId": b"m1",
        b"SentTimestamp": b"2016-07-28T00:12:37.000Z",
        b"ApproximateFirstReceiveTimestamp": b"2016-07-28T00:12:37.042Z",
        b"ApproximateReceiveCount": b"2",
        b"WATCHBOT_WORKER": b"3",
        b"WATCHBOT_DEADLINE": b"1700000000.500",
        b"WATCHBOT_SCRATCH": b"/scratch/1",
        b"TMPDIR": b"/scratch/1",
    }


def test_fifo_trace_and_attributes_come_where_there_are_any() -> None:
    variables = environment(
        system={
            "MessageGroupId": "g",
            "MessageDeduplicationId": "d",
            "SequenceNumber": "7",
            "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
        },
        attributes={
            "traceparent": Attribute(type="String", value="00-aa-bb-01"),
            "n": Attribute(type="Number", value="1"),
        },
    )

    assert variables[b"MessageGroupId"] == b"g"
    assert variables[b"MessageDeduplicationId"] == b"d"
    assert variables[b"SequenceNumber"] == b"7"
    assert variables[b"_X_AMZN_TRACE_ID"] == b"Root=1-5759e988-bd862e3fe1be46a994272793"
    assert variables[b"TRACEPARENT"] == b"00-aa-bb-01"
    assert b"TRACESTATE" not in variables
    assert json.loads(variables[b"MessageAttributes"])["n"] == {"Type": "Number", "Value": "1"}


@pytest.mark.parametrize("length", [131_063, 131_064])
def test_message_is_a_variable_as_long_as_linux_takes_it(length: int) -> None:
    variables = environment("x" * length)

    assert (b"Message" in variables) is (length == 131_063)


def test_watchers_own_variables_pass_but_never_as_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_SECRET_PLACE", "here")
    monkeypatch.setenv("MessageGroupId", "from outside")

    base = base_environment()

    assert base[b"MY_SECRET_PLACE"] == b"here"
    assert b"MessageGroupId" not in base


def test_standard_input_keeps_what_utf8_cannot() -> None:
    content = Content(subject="", body="a\ud800\0", topic_arn=None, attributes={})

    assert message_bytes(content) == b"a\xed\xa0\x80\0"


@given(
    subject=st.text(st.characters(exclude_categories=[])),
    body=st.text(st.characters(exclude_categories=[])),
    name=st.text(st.characters(exclude_categories=[])),
    value=st.text(st.characters(exclude_categories=[])),
    topic=st.text(st.characters(exclude_categories=[])),
)
def test_no_message_can_make_a_variable_that_exec_refuses(
    subject: str, body: str, name: str, value: str, topic: str
) -> None:
    message = Message(id="m1", receipt="r", body="", asked_at=0, system={"AWSTraceHeader": value})
    attributes = {name: Attribute(type="String", value=value)}
    content = Content(subject=subject, body=body, topic_arn=topic, attributes=attributes)

    for key, text in worker_environment({}, message, content, PLACE).items():
        assert b"\0" not in key + text
        assert b"=" not in key
        assert len(key) + len(text) + 2 <= MAX_VARIABLE_BYTES


def test_what_no_variable_can_hold_is_in_a_file(tmp_path: Path) -> None:
    attributes = {"a": Attribute(type="String", value="é" * 30_000)}
    content = Content(subject="s" * 140_000, body="b\0", topic_arn=None, attributes=attributes)
    message = Message(id="m1", receipt="r", body="", asked_at=0)
    variables = worker_environment({}, message, content, PLACE)

    filed = with_files(variables, message_texts(content), str(tmp_path))

    assert not {b"Message", b"MessageAttributes", b"Subject"} & {*variables, *filed}
    assert Path(filed[b"MessageFile"].decode()).read_bytes() == b"b\0"
    assert Path(filed[b"SubjectFile"].decode()).read_bytes() == b"s" * 140_000
    file = Path(filed[b"MessageAttributesFile"].decode())
    assert json.loads(file.read_bytes())["a"] == {"Type": "String", "Value": "é" * 30_000}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(("own", "passed_on"), [(None, b"1"), ("", b""), ("x", b"x")])
def test_python_prints_lines_as_they_come_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, own: str | None, passed_on: bytes
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    if own is not None:
        monkeypatch.setenv("PYTHONUNBUFFERED", own)

    assert base_environment()[b"PYTHONUNBUFFERED"] == passed_on
