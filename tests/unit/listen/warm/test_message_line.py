"""A message as a line, and an answer as one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import a_job_of, a_message
from watchbot.listen.warm.dialogue import Answer, BadAnswer
from watchbot.listen.warm.message_line import encoded, message_line, read_answer
from watchbot.sqs.message import Attribute, Message, Origin

QUEUE = "https://sqs.eu-west-1.amazonaws.com/1/q"


def line_of(message: Message, scratch: Path, most_bytes: int = 1_000_000) -> dict[str, Any]:
    job = a_job_of(replace(message, origin=Origin("q", QUEUE)))
    line = encoded(message_line(job, 12.3456), str(scratch), most_bytes)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return dict(json.loads(line))


def test_line_has_what_the_variables_have_and_leaves_out_what_is_absent(tmp_path: Path) -> None:
    message = a_message(
        "m1",
        body="two\nlines",
        receives=3,
        attributes={"colour": Attribute(type="String", value="red")},
        SentTimestamp="1000",
        MessageGroupId="g",
    )

    assert line_of(message, tmp_path) == {
        "MessageId": "m1",
        "Message": "two\nlines",
        "SentTimestamp": "1970-01-01T00:00:01.000Z",
        "MessageGroupId": "g",
        "ApproximateReceiveCount": 3,
        "MessageAttributes": {"colour": {"Type": "String", "Value": "red"}},
        "QueueUrl": QUEUE,
        "deadline": 12.346,
    }


def test_empty_body_is_a_body(tmp_path: Path) -> None:
    assert line_of(a_message(body=""), tmp_path)["Message"] == ""


@pytest.mark.parametrize(
    ("body", "most_bytes"),
    [("x" * 2_000, 1_024), ("lone \ud800 surrogate", 1_000_000)],
    ids=["too long", "no text"],
)
def test_body_that_no_line_can_hold_is_in_a_file(
    body: str, most_bytes: int, tmp_path: Path
) -> None:
    line = line_of(a_message(body=body), tmp_path, most_bytes)

    file = Path(line["MessageFile"])
    assert "Message" not in line
    assert file.read_bytes() == body.encode(errors="surrogatepass")
    assert file.parent == tmp_path
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("body", ["a\0b", "é", "\u2028", '"\\'])
def test_any_text_survives_its_line(body: str, tmp_path: Path) -> None:
    assert line_of(a_message(body=body), tmp_path)["Message"] == body


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"0", Answer()),
        (b"0\r", Answer()),
        (b"255", Answer(exit_code=255)),
        (b"1 no such tile", Answer(exit_code=1, reason="no such tile")),
        (b"1 ", Answer(exit_code=1)),
        (b"1 caf\xc3\xa9 \xff", Answer(exit_code=1, reason="café \\xff")),
        (b'{"exit": 0}', Answer()),
        (b'{"exit": 4, "retryAfter": 0}', Answer(exit_code=4, retry_after_s=0)),
        (
            b'{"exit": 4, "retryAfter": 600.5, "reason": "later", "id": "m1"}',
            Answer(exit_code=4, retry_after_s=600.5, reason="later"),
        ),
        (b'{"exit": 1, "reason": null, "retryAfter": null}', Answer(exit_code=1)),
    ],
)
def test_answer_is_a_code_with_words_or_an_object(line: bytes, answer: Answer) -> None:
    assert read_answer(line, "m1") == answer


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "no exit code from 0 to 255: an empty line"),
        (b"256", "no exit code from 0 to 255: '256'"),
        (b"-1", "no exit code"),
        (b"0x", "no exit code"),
        (b" 0", "no exit code"),
        (b"ok", "no exit code"),
        (b"x" * 1_000, "xxx…'"),
        (b"{", "no JSON: '{'"),
        (b"{}", "no `exit` from 0 to 255"),
        (b'{"exit": 256}', "no `exit` from 0 to 255"),
        (b'{"exit": 0.5}', "no `exit` from 0 to 255"),
        (b'{"exit": true}', "no `exit` from 0 to 255"),
        (b'{"exit": "0"}', "no `exit` from 0 to 255"),
        (b'{"exit": 0, "id": "m2"}', "is for 'm2', where 'm1' is next"),
        (b'{"exit": 0, "id": null}', "is for None, where 'm1' is next"),
        (b'{"exit": 0, "retry_after": 1}', "has 'retry_after', which means nothing"),
        (b'{"exit": 4, "retryAfter": -1}', "a `retryAfter` that is no number"),
        (b'{"exit": 4, "retryAfter": Infinity}', "a `retryAfter` that is no number"),
        (b'{"exit": 4, "retryAfter": NaN}', "a `retryAfter` that is no number"),
        (b'{"exit": 4, "retryAfter": "1"}', "a `retryAfter` that is no number"),
        (b'{"exit": 1, "reason": 1}', "a `reason` that is no text"),
        (b"{" * 100_000, "no JSON"),
    ],
)
def test_answer_that_cannot_be_read_says_why(line: bytes, problem: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        read_answer(line, "m1")

    assert problem in str(caught.value)
