"""The lines of a pipe, as they come; progress bars, whose lines end in CR, too.

The standard library alone, and little of it: `watchbot-log` starts in milliseconds.
"""

import os
import select
import time
from collections.abc import Iterator

MAX_LINE_BYTES = 65_536  # a longer line is split, so that none can fill the memory
PROGRESS_S = 1.0  # so seldom is a line shown that ends in CR


def lines(file: int = 0) -> Iterator[bytes]:
    """Each line of `file`, without its newline; one over 64 KiB in pieces that tear no character.

    Of lines that end in CR, the last one, at most once a second. Raises `OSError`.
    """
    pipe = _Pipe(file)
    while not pipe.ended:
        yield from pipe.read() if pipe.readable() else pipe.progress()
    yield from pipe.rest()


class _Pipe:
    def __init__(self, file: int) -> None:
        self._file = file
        self._held = b""
        self._due: float | None = None  # when the line that ends in CR is to be shown
        self._begins_anew = False  # its line was shown as far as its CR: an LF that follows ends it
        self.ended = False

    def readable(self) -> bool:
        """Waits for more to read; False when it is time to show progress."""
        left_s = None if self._due is None else self._due - time.monotonic()
        if left_s is not None and left_s <= 0:
            return False
        return bool(select.select([self._file], [], [], left_s)[0])

    def read(self) -> list[bytes]:
        """The lines that what can be read now completes."""
        data = os.read(self._file, MAX_LINE_BYTES)
        self.ended = not data
        if data and self._begins_anew:
            data, self._begins_anew = data.removeprefix(b"\n"), False
        *whole, self._held = (self._held + data).split(b"\n")
        pieces = [piece for line in whole for piece in _split(line)]
        if len(self._held) > MAX_LINE_BYTES and b"\r" in self._held:
            self._held = b"\r".join(self._held.rsplit(b"\r", 2)[-2:])  # no terminal shows the rest
        *more, self._held = _split(self._held)
        if b"\r" not in self._held:
            self._due = None
        elif self._due is None:
            self._due = time.monotonic() + PROGRESS_S
        return pieces + more

    def progress(self) -> list[bytes]:
        """What a terminal would show of lines that end in CR."""
        self._due = None
        ended, _, self._held = self._held.rpartition(b"\r")
        self._begins_anew = not self._held
        return [line for line in ended.split(b"\r") if line][-1:]

    def rest(self) -> list[bytes]:
        """What has no newline at the end."""
        return [self._held] if self._held else []


def _split(line: bytes) -> list[bytes]:
    pieces = []
    while len(line) > MAX_LINE_BYTES:  # its next byte tells whether a character would be torn
        end = MAX_LINE_BYTES
        while end > MAX_LINE_BYTES - 3 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]
