"""A sink waits for no reader, keeps the order, and never raises."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import pytest

from watchbot.logs.sink import FULL_BYTES, MOST_BYTES, Sink

LINE = b"x" * 99 + b"\n"


@dataclass
class Pipe:
    reader: int
    writer: int

    def read(self) -> bytes:
        """The bytes that can be read now."""
        os.set_blocking(self.reader, False)
        with contextlib.suppress(BlockingIOError):
            return os.read(self.reader, 1_000_000)
        return b""

    async def read_all(self, size: int) -> bytes:
        """Reads a number of bytes, and lets other tasks work meanwhile."""
        taken = b""
        while len(taken) < size:
            taken += self.read()
            await anyio.lowlevel.checkpoint()
        return taken


@pytest.fixture
def pipes() -> Iterator[tuple[Pipe, Pipe]]:
    pair = Pipe(*os.pipe()), Pipe(*os.pipe())
    yield pair
    for pipe in pair:
        for file in (pipe.reader, pipe.writer):
            with contextlib.suppress(OSError):  # the test may have closed it
                os.close(file)


async def test_what_nobody_reads_is_kept_in_order(pipes: tuple[Pipe, Pipe]) -> None:
    pipe, _ = pipes
    sink = Sink(pipe.writer)
    lines = [b"%d\n" % number for number in range(50_000)]
    async with sink.open():
        for line in lines:
            sink.write(line)
        was_full = sink.full
        called: list[bool] = []
        sink.when_room(lambda: called.append(sink.full))
        whole = await pipe.read_all(len(b"".join(lines)))
        written = await sink.flushed(5)

    assert whole == b"".join(lines)
    assert (was_full, called, written) == (False, [False], True)


async def test_full_sink_calls_back_when_there_is_room(pipes: tuple[Pipe, Pipe]) -> None:
    pipe, _ = pipes
    sink = Sink(pipe.writer)
    room = anyio.Event()
    async with sink.open():
        while not sink.full:
            sink.write(LINE)
        sink.when_room(room.set)
        kept, early = sink.kept_bytes, room.is_set()
        while not room.is_set():
            pipe.read()
            await anyio.lowlevel.checkpoint()
        assert not sink.full
        os.close(pipe.reader)

    assert FULL_BYTES <= kept < FULL_BYTES + len(LINE)
    assert not early


async def test_too_much_is_dropped_and_counted(pipes: tuple[Pipe, Pipe]) -> None:
    pipe, _ = pipes
    sink = Sink(pipe.writer)
    async with sink.open():
        for _ in range(20_000):
            sink.write(LINE)
        kept = sink.kept_bytes
        whole = b""
        while b"dropped" not in whole:
            whole += pipe.read()
            await anyio.lowlevel.checkpoint()

    assert kept <= MOST_BYTES
    *lines, last = whole.splitlines(keepends=True)
    assert set(lines) == {LINE}
    assert last == b"%d lines were dropped: nobody read them\n" % (20_000 - len(lines))


async def test_stalled_reader_is_waited_for_no_longer_than_asked(pipes: tuple[Pipe, Pipe]) -> None:
    pipe, _ = pipes
    sink = Sink(pipe.writer)
    async with sink.open():
        while not sink.full:
            sink.write(LINE)
        written = await sink.flushed(0.05)
        os.close(pipe.reader)

    assert not written


@pytest.mark.parametrize("kept_before", [False, True])
async def test_closed_file_gives_way_to_the_next(
    pipes: tuple[Pipe, Pipe], kept_before: bool
) -> None:
    first, second = pipes
    sink = Sink(first.writer, second.writer)
    async with sink.open():
        while kept_before and not sink.kept_bytes:
            sink.write(LINE)
        os.close(first.reader)
        sink.write(b"after\n")
        with anyio.fail_after(5):
            while sink.kept_bytes:
                await anyio.sleep(0.001)  # a sink announces no progress

    assert second.read().endswith(b"after\n")


async def test_nobody_left_to_read_is_no_error(pipes: tuple[Pipe, Pipe]) -> None:
    first, second = pipes
    os.close(first.reader)
    os.close(second.reader)
    sink = Sink(first.writer, second.writer)

    async with sink.open():
        sink.write(LINE)
        assert await sink.flushed(5)
    sink.write(LINE)


def test_without_a_loop_it_waits_for_the_reader(pipes: tuple[Pipe, Pipe]) -> None:
    pipe, _ = pipes
    os.set_blocking(pipe.writer, False)  # as a parent may have left it

    Sink(pipe.writer).write(LINE)

    assert pipe.read() == LINE
