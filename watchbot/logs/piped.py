"""Reads the lines of a pipe as they come, including progress bars, whose lines end in CR.

Imports little, and only from the standard library, so that `watchbot-log` starts in milliseconds.
"""

import os
import select
import time
from collections.abc import Iterator

MAX_LINE_BYTES = 65_536  # a longer line is split, so that it cannot fill the memory
PROGRESS_S = 1.0  # the shortest time between two lines that end in CR


def lines(file: int = 0) -> Iterator[bytes]:
    """Yields each line of `file` without its newline; splits a line over 64 KiB between characters.

    Of lines that end in CR, yields the last one, at most once a second. Raises `OSError`.
    """
    pipe = _Pipe(file)
    while not pipe.ended:
        yield from pipe.read() if pipe.readable() else pipe.progress()
    yield from pipe.rest()


class _Pipe:
    def __init__(self, file: int) -> None:
        self._file = file
        self._held = b""
        self._due: float | None = None  # when to yield a line that ends in CR
        self._begins_anew = False  # a line was yielded up to its CR: a following LF adds no line
        self.ended = False

    def readable(self) -> bool:
        """Waits for more bytes; False when it is time to show progress."""
        left_s = None if self._due is None else self._due - time.monotonic()
        if left_s is not None and left_s <= 0:
            return False
        return bool(select.select([self._file], [], [], left_s)[0])

    def read(self) -> list[bytes]:
        """Reads once, and returns the lines that are complete now."""
        data = os.read(self._file, MAX_LINE_BYTES)
        self.ended = not data
        if data and self._begins_anew:
            data, self._begins_anew = data.removeprefix(b"\n"), False
        *whole, self._held = (self._held + data).split(b"\n")
        pieces = [piece for line in whole for piece in _split(line)]
        if len(self._held) > MAX_LINE_BYTES and b"\r" in self._held:
            self._held = b"\r".join(self._held.rsplit(b"\r", 2)[-2:])  # drops overwritten lines
        *more, self._held = _split(self._held)
        if b"\r" not in self._held:
            self._due = None
        elif self._due is None:
            self._due = time.monotonic() + PROGRESS_S
        return pieces + more

    def progress(self) -> list[bytes]:
        """The last line that ends in CR, as a terminal would show it."""
        self._due = None
        ended, _, self._held = self._held.rpartition(b"\r")
        self._begins_anew = not self._held
        return [line for line in ended.split(b"\r") if line][-1:]

    def rest(self) -> list[bytes]:
        """The last line, if it has no newline."""
        return [self._held] if self._held else []


def _split(line: bytes) -> list[bytes]:
    pieces = []
    while len(line) > MAX_LINE_BYTES:  # the loop needs the byte after the limit
        end = MAX_LINE_BYTES
        while end > MAX_LINE_BYTES - 3 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]
