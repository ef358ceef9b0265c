"""A worker's output: whole lines, each with its prefix, and the tail of it kept for a notice."""

import json
from collections.abc import Callable
from typing import Any, Literal

from watchbot import log, metrics

MAX_LINE_BYTES = 65_536  # a longer line is split, so that a worker cannot fill the memory
TAIL_BYTES = 16_384

Stream = Literal["stdout", "stderr"]


class Output:
    """Takes what one worker prints, in pieces, and writes it line by line."""

    def __init__(self, message_id: str, *, structured: bool) -> None:
        self._message_id = message_id
        self._render = self._as_json if structured else self._as_text
        self._mark = f"] [worker] [{message_id}]".encode()
        self._partial: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._tail = b""

    def feed(self, stream: Stream, data: bytes) -> None:
        """Takes the next bytes that came from `stream`."""
        held = self._partial[stream]
        whole, newline, rest = (held + data if held else data).rpartition(b"\n")
        if newline:
            self._write(stream, whole)
        while len(rest) >= MAX_LINE_BYTES:
            self._write(stream, rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._partial[stream] = rest

    def finish(self) -> None:
        """Writes what is left without a newline at its end."""
        for stream, rest in self._partial.items():
            if rest:
                self._write(stream, rest)
                self._partial[stream] = b""

    @property
    def tail(self) -> str:
        """The last 16 KiB, both streams as they came."""
        return self._tail.decode(errors="backslashreplace")

    def _write(self, stream: Stream, lines: bytes) -> None:
        metrics.log_lines.labels(stream).inc(lines.count(b"\n") + 1)
        self._tail = (self._tail + lines[-TAIL_BYTES:] + b"\n")[-TAIL_BYTES:]
        log.write(self._render(lines))

    def _as_text(self, lines: bytes) -> bytes:
        prefix = log.prefix("worker", self._message_id).encode()
        if self._mark not in lines:
            return prefix + lines.replace(b"\n", b"\n" + prefix) + b"\n"
        # A worker that uses watchbot-log has put the prefix there itself.
        return b"".join(
            (line if self._mark in line[:128] else prefix + line) + b"\n"
            for line in lines.split(b"\n")
        )

    def _as_json(self, lines: bytes) -> bytes:
        return b"".join(self._json_line(line) for line in lines.split(b"\n"))

    def _json_line(self, line: bytes) -> bytes:
        said, fields = line.decode(errors="backslashreplace"), _object(line)
        text = log.json_line(
            "" if "msg" in fields else said if not fields else "",
            level=30,
            message_id=self._message_id,
            fields=fields,
        )
        return text.encode() + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    if not line.startswith(b"{"):
        return {}
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


Feed = Callable[[Stream, bytes], None]
