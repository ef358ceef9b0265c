import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbot.listen.output import MAX_LINE_BYTES, TAIL_BYTES, Output

PREFIX = re.compile(rb"^\[\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\] \[worker\] \[m1\] ")


def printed(capfd: pytest.CaptureFixture[str], *pieces: bytes, structured: bool = False) -> bytes:
    """What is written for a worker that prints these pieces."""
    output = Output("m1", structured=structured)
    for piece in pieces:
        output.feed("stdout", piece)
    output.finish()
    return capfd.readouterr().out.encode()


def test_each_line_gets_the_prefix(capfd: pytest.CaptureFixture[str]) -> None:
    lines = printed(capfd, b"one\ntw", b"o\n\nno newline").splitlines()

    assert [PREFIX.sub(b"", line) for line in lines] == [b"one", b"two", b"", b"no newline"]
    assert all(PREFIX.match(line) for line in lines)


def test_line_with_the_prefix_keeps_it_alone(capfd: pytest.CaptureFixture[str]) -> None:
    said = b"[Thu, 28 Jul 2016 00:12:37 GMT] [worker] [m1] mine"

    assert printed(capfd, said + b"\nplain\n").splitlines()[0] == said


def test_prefix_of_another_message_is_text(capfd: pytest.CaptureFixture[str]) -> None:
    said = b"[Thu, 28 Jul 2016 00:12:37 GMT] [worker] [m2] not mine"

    assert PREFIX.sub(b"", printed(capfd, said)) == said + b"\n"


def test_long_line_is_split_not_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    lines = printed(capfd, b"x" * 150_000).splitlines()

    lengths = [len(PREFIX.sub(b"", line)) for line in lines]
    assert sum(lengths) == 150_000
    assert max(lengths) == MAX_LINE_BYTES


def test_workers_own_json_is_merged_in(capfd: pytest.CaptureFixture[str]) -> None:
    out = printed(capfd, b'{"level": 50, "msg": "mine", "x": 1}\ntext\n', structured=True)

    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["msg"], first["level"], first["x"]) == ("mine", 50, 1)
    assert (second["msg"], second["level"]) == ("text", 30)
    assert first["watchbot_sqs_message_id"] == second["watchbot_sqs_message_id"] == "m1"


def test_tail_is_the_last_16_kib(capfd: pytest.CaptureFixture[str]) -> None:
    output = Output("m1", structured=False)

    output.feed("stdout", b"old\n" * 10_000)
    output.feed("stderr", b"last words")
    output.finish()
    capfd.readouterr()

    assert len(output.tail) == TAIL_BYTES
    assert output.tail.endswith("old\nlast words\n")


@given(pieces=st.lists(st.binary(max_size=50), max_size=20))
def test_no_byte_is_lost_however_it_comes(pieces: list[bytes]) -> None:
    output = Output("m1", structured=False)

    for piece in pieces:
        output.feed("stdout", piece)
    output.finish()

    whole = b"".join(pieces)
    kept = output.tail.encode() if whole.isascii() else None
    assert kept is None or kept.rstrip(b"\n") == whole.rstrip(b"\n")
