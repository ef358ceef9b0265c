"""Writes a worker's output as whole lines with a prefix, and keeps its tail for a notice."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from watchbot import metrics
from watchbot.logs.line import Envelope, prefix
from watchbot.logs.sink import Sink, stdout
from watchbot.sqs.message import Message

MAX_LINE_BYTES = 65_536  # a longer line is split, so that a worker cannot fill the memory
MAX_LINES = 1_024  # rendered at once: prefixes turn 64 KiB of empty lines into megabytes
TAIL_BYTES = 16_384
PROGRESS_S = 1.0  # the shortest time between two lines that end in CR, as of progress bars
PATIENCE_S = 2.0  # how long the end of a worker waits for the reader of the log

Stream = Literal["stdout", "stderr"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Who speaks, and about which messages of which queue; no ids: about none.

    Lines name the first of several messages; those in JSON name all, and the queue.
    """

    ids: Sequence[str] = ()
    queue: str = ""
    who: str = "worker"

    @classmethod
    def messages(cls, messages: Sequence[Message]) -> "About":
        """A worker speaks about these messages of one queue."""
        return cls(ids=[each.id for each in messages], queue=messages[0].queue if messages else "")


class Output:
    """Takes one worker's output in pieces, and writes it line by line.

    A line that ends in CR is written within `progress_s`, unless a newer line has replaced it.
    Holds at most 64 KiB of each stream, and the rest of the last piece if the log has no room for
    it. Then `full` is true, and the caller should feed no more until `when_room` calls back.
    """

    def __init__(
        self,
        about: About,
        *,
        structured: bool,
        sink: Sink = stdout,
        progress_s: float = PROGRESS_S,
    ) -> None:
        self._about, self._message_id = about, next(iter(about.ids), None)
        self._render = self._as_json if structured else self._as_text
        self._sink = sink
        first = self._message_id
        self._mark = f"] [worker] [{first}]".encode() if first else b"] [worker] "
        self._partial: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._waiting: deque[tuple[Stream, bytes]] = deque()
        self._tail = b""
        self._progress_s = progress_s
        self._showing: asyncio.TimerHandle | None = None
        self._begun_anew: set[Stream] = set()  # written up to a CR: a following LF adds no line

    def feed(self, stream: Stream, data: bytes) -> None:
        """Takes the next bytes of `stream`."""
        if stream in self._begun_anew:
            self._begun_anew.discard(stream)
            data = data.removeprefix(b"\n")
        held = self._partial[stream]
        whole, newline, rest = (held + data if held else data).rpartition(b"\n")
        if newline:
            self._take(stream, whole)
        while len(rest) > MAX_LINE_BYTES:  # `_split` needs the byte after the limit
            line, rest = _split(rest)
            self._take(stream, line)
        self._partial[stream] = rest
        if self._showing is None and b"\r" in rest:
            loop = asyncio.get_running_loop()
            self._showing = loop.call_later(self._progress_s, self._show_progress)
        self._write_on()

    @property
    def full(self) -> bool:
        """Whether the log has no room for bytes that were fed."""
        return bool(self._waiting)

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once, when `full` is false again."""

        def go_on() -> None:
            self._write_on()
            if self._waiting:
                self._sink.when_room(go_on)
            else:
                callback()

        self._sink.when_room(go_on)

    async def finish(self) -> None:
        """Writes the rest, including a last line without a newline.

        Returns when all is written, or when nobody has read the log for two seconds. In that case
        the log still holds the rest.
        """
        if self._showing is not None:
            self._showing.cancel()
        for stream, rest in self._partial.items():
            if rest:
                self._take(stream, rest)
                self._partial[stream] = b""
        somebody_reads = True
        while self._waiting:
            if self._sink.full and somebody_reads:
                somebody_reads = await self._sink.flushed(PATIENCE_S)
            else:
                self._write_next()
        await self._sink.flushed(PATIENCE_S)

    @property
    def tail(self) -> str:
        """The last 16 KiB of the output, both streams in order of arrival."""
        return self._tail.decode(errors="backslashreplace")

    def _take(self, stream: Stream, lines: bytes) -> None:
        metrics.log_lines.labels(stream).inc(lines.count(b"\n") + 1)
        self._tail = (self._tail + lines[-TAIL_BYTES:] + b"\n")[-TAIL_BYTES:]
        # A read returns at most 64 KiB, so only the first line can be longer: it has held bytes.
        while lines.find(b"\n", 0, MAX_LINE_BYTES + 1) < 0 and len(lines) > MAX_LINE_BYTES:
            line, lines = _split(lines)
            self._waiting.append((stream, line))
        self._waiting.append((stream, lines))

    def _show_progress(self) -> None:
        """Writes the last line that ends in CR of each stream, as a terminal would show it."""
        self._showing = None
        for stream, partial in self._partial.items():
            shown, _, self._partial[stream] = partial.rpartition(b"\r")
            if lines := [line for line in shown.split(b"\r") if line]:
                self._take(stream, lines[-1])
                if not self._partial[stream]:
                    self._begun_anew.add(stream)
        self._write_on()

    def _write_on(self) -> None:
        while self._waiting and not self._sink.full:
            self._write_next()

    def _write_next(self) -> None:
        stream, lines = self._waiting.popleft()
        if lines.count(b"\n") >= MAX_LINES:
            *now, later = lines.split(b"\n", MAX_LINES)
            self._waiting.appendleft((stream, later))
            lines = b"\n".join(now)
        self._sink.write(self._render(lines))

    def _as_text(self, lines: bytes) -> bytes:
        start = prefix(self._about.who, self._message_id).encode()
        lines = _readable(lines)
        if self._mark not in lines:
            return start + lines.replace(b"\n", b"\n" + start) + b"\n"
        # A worker that uses watchbot-log writes the prefix itself.
        return b"".join(
            (line if self._mark in line[:128] else start + line) + b"\n"
            for line in lines.split(b"\n")
        )

    def _as_json(self, lines: bytes) -> bytes:
        said = lines.decode(errors="backslashreplace").split("\n")
        envelope = Envelope(
            who=self._about.who,
            level=30,
            message_id=self._message_id,
            batch=self._about.ids,
            queue=self._about.queue,
        )
        return "".join(
            envelope.merged(fields) if fields else envelope.line(line)
            for line, fields in ((line, _object(line)) for line in said)
        ).encode()


async def finish(output: Output) -> None:
    """Writes what is left of it; whatever goes wrong is only logged."""
    try:
        await output.finish()
    except Exception:  # a log that fails changes no outcome
        log.exception("output lost")


def _split(line: bytes) -> tuple[bytes, bytes]:
    """The first 64 KiB of a line, and the rest; never splits a UTF-8 character."""
    end = MAX_LINE_BYTES
    while end > MAX_LINE_BYTES - 3 and line[end : end + 1] and line[end] & 0xC0 == 0x80:
        end -= 1
    return line[:end], line[end:]


def _readable(lines: bytes) -> bytes:
    """The lines with undecodable bytes as \\xNN: one raw byte makes grep treat a log as binary."""
    if b"\0" in lines:
        lines = lines.replace(b"\0", b"\\x00")
    if lines.isascii():
        return lines
    try:
        lines.decode()
    except UnicodeDecodeError:
        return lines.decode(errors="backslashreplace").encode()
    return lines


def _object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
