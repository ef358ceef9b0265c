import asyncio
import json
import os
import re
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbot.listen.output import MAX_LINE_BYTES, TAIL_BYTES, About, Output
from watchbot.logs.sink import Sink

PREFIX = re.compile(rb"^\[\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\] \[worker\] \[m1\] ")


async def printed(*pieces: bytes, structured: bool = False) -> bytes:
    """The log of a worker that prints these pieces."""
    with tempfile.TemporaryFile() as file:
        output = Output(About(ids=["m1"]), structured=structured, sink=Sink(file.fileno()))
        for piece in pieces:
            output.feed("stdout", piece)
        await output.finish()
        file.seek(0)
        return file.read()


async def test_each_line_gets_the_prefix() -> None:
    lines = (await printed(b"one\ntw", b"o\n\nno newline")).splitlines()

    assert [PREFIX.sub(b"", line) for line in lines] == [b"one", b"two", b"", b"no newline"]
    assert all(PREFIX.match(line) for line in lines)


async def test_line_with_the_prefix_keeps_it_alone() -> None:
    said = b"[Thu, 28 Jul 2016 00:12:37 GMT] [worker] [m1] mine"

    assert (await printed(said + b"\nplain\n")).splitlines()[0] == said


async def test_prefix_of_another_message_is_text() -> None:
    said = b"[Thu, 28 Jul 2016 00:12:37 GMT] [worker] [m2] not mine"

    assert PREFIX.sub(b"", await printed(said)) == said + b"\n"


async def test_long_line_is_split_not_dropped() -> None:
    lines = (await printed(b"x" * 150_000)).splitlines()

    lengths = [len(PREFIX.sub(b"", line)) for line in lines]
    assert sum(lengths) == 150_000
    assert max(lengths) == MAX_LINE_BYTES


async def test_workers_own_json_is_merged_in() -> None:
    out = await printed(b'{"level": 50, "msg": "mine", "x": 1}\ntext\n', structured=True)

    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["msg"], first["level"], first["x"]) == ("mine", 50, 1)
    assert (second["msg"], second["level"]) == ("text", 30)
    assert first["watchbot_sqs_message_id"] == second["watchbot_sqs_message_id"] == "m1"


async def test_tail_is_the_last_16_kib() -> None:
    with tempfile.TemporaryFile() as file:
        output = Output(About(ids=["m1"]), structured=False, sink=Sink(file.fileno()))
        output.feed("stdout", b"old\n" * 10_000)
        output.feed("stderr", b"last words")
        await output.finish()

    assert len(output.tail) == TAIL_BYTES
    assert output.tail.endswith("old\nlast words\n")


async def test_line_that_grew_over_two_pieces_is_split_too() -> None:
    lines = (await printed(b"x" * 65_000, b"y" * 60_000 + b"\nz\n")).splitlines()

    said = [PREFIX.sub(b"", line) for line in lines]
    assert [len(line) for line in said] == [MAX_LINE_BYTES, 125_000 - MAX_LINE_BYTES, 1]


async def test_split_tears_no_character() -> None:
    lines = (await printed("é".encode() * 40_000, b"x" + "€".encode() * 30_000)).splitlines()

    said = [PREFIX.sub(b"", line).decode() for line in lines]
    assert "".join(said) == "é" * 40_000 + "x" + "€" * 30_000
    assert len(said) > 2


@pytest.mark.parametrize("character", ["é", "€", "😀"])
@pytest.mark.parametrize("offset", [0, 1, 2, 3])
async def test_split_tears_no_character_where_a_read_ends_in_it(
    character: str, offset: int
) -> None:
    printed_bytes = b"x" * offset + character.encode() * 40_000

    lines = (
        await printed(printed_bytes[:MAX_LINE_BYTES], printed_bytes[MAX_LINE_BYTES:])
    ).splitlines()

    said = [PREFIX.sub(b"", line).decode() for line in lines]
    assert "".join(said) == "x" * offset + character * 40_000


async def test_progress_is_shown_as_it_comes_and_its_last_state_alone() -> None:
    with tempfile.TemporaryFile() as file:
        output = Output(About(ids=["m1"]), structured=False, sink=Sink(file.fileno()), progress_s=0)
        for percent in range(100):
            output.feed("stdout", b"\r%d%%" % percent)
        before = os.fstat(file.fileno()).st_size
        while not os.fstat(file.fileno()).st_size:
            await asyncio.sleep(0)
        file.seek(0)
        meanwhile = file.read()
        output.feed("stdout", b"\r100%\r")
        while os.fstat(file.fileno()).st_size == len(meanwhile):
            await asyncio.sleep(0)
        output.feed("stdout", b"\ndone\n")
        await output.finish()
        file.seek(0)
        whole = file.read()

    assert before == 0
    assert [PREFIX.sub(b"", line) for line in meanwhile.splitlines()] == [b"98%"]
    assert [PREFIX.sub(b"", line) for line in whole.splitlines()] == [b"98%", b"100%", b"done"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"50%\rabc", b"\ndef\n", [b"50%", b"abc", b"def"]),
        (b"50%\r", b"\ndef\n", [b"50%", b"def"]),
        (b"50%\r", b"\n\ndef\n", [b"50%", b"", b"def"]),
        (b"50%\rabc", b"\n\ndef\n", [b"50%", b"abc", b"", b"def"]),
        (b"50%\rabc", b"def\n", [b"50%", b"abcdef"]),
    ],
)
async def test_newline_after_shown_progress_ends_the_line_that_was_begun(
    before: bytes, after: bytes, said: list[bytes]
) -> None:
    with tempfile.TemporaryFile() as file:
        output = Output(About(ids=["m1"]), structured=False, sink=Sink(file.fileno()), progress_s=0)
        output.feed("stdout", before)
        while not os.fstat(file.fileno()).st_size:
            await asyncio.sleep(0)
        output.feed("stdout", after)
        await output.finish()
        file.seek(0)
        whole = file.read()

    assert [PREFIX.sub(b"", line) for line in whole.splitlines()] == said


@pytest.mark.parametrize(
    ("printed_bytes", "readable"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9 \xff", "caf\\xe9 \\xff"),
        (b"a\0b", "a\\x00b"),
    ],
)
async def test_what_is_no_text_is_kept_readable(printed_bytes: bytes, readable: str) -> None:
    line = await printed(printed_bytes)

    assert PREFIX.sub(b"", line).decode() == readable + "\n"


async def test_number_that_json_has_not_is_a_text_in_a_workers_own_json() -> None:
    out = await printed(b'{"loss": NaN, "best": [-Infinity, 1e999, 0.5]}\n', structured=True)

    [line] = out.splitlines()
    found = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (found["loss"], found["best"]) == ("NaN", ["-Infinity", "Infinity", 0.5])
    assert found["watchbot_sqs_message_id"]


async def test_json_lines_are_whole_whatever_a_worker_prints() -> None:
    said = ['{"not": json', "[1]", '"quoted" \\ back', "\x1b[2K\0", "caf\\xe9", ""]
    raw = b"\n".join([b'{"not": json', b"[1]", b'"quoted" \\ back', b"\x1b[2K\0", b"caf\xe9", b""])

    lines = (await printed(raw + b"\n", structured=True)).splitlines()

    assert [json.loads(line)["msg"] for line in lines] == said


async def test_empty_lines_cost_no_memory_when_nobody_reads() -> None:
    reader, writer = os.pipe()
    sink = Sink(writer)
    async with sink.open():
        output = Output(About(ids=["m1"]), structured=False, sink=sink)
        output.feed("stdout", b"\n" * 65_536)  # six megabytes with their prefixes
        kept = sink.kept_bytes
        was_full = output.full
        os.close(reader)  # the sink gives up at once
    os.close(writer)

    assert was_full
    assert kept < 512 * 1024


@given(pieces=st.lists(st.binary(max_size=50), max_size=20))
def test_no_byte_is_lost_however_it_comes(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    written = asyncio.run(printed(*pieces))

    said = [PREFIX.sub(b"", line) for line in written.split(b"\n")[:-1]]
    lines = whole.removesuffix(b"\n").split(b"\n") if whole else []
    as_read = [line.replace(b"\0", b"\\x00").decode(errors="backslashreplace") for line in lines]
    assert [line.decode() for line in said] == as_read
