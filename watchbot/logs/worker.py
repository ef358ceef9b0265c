"""Prints a worker's log lines: `watchbot-log` in a shell; `log` and `log_stream` in Python.

Imports little, and only from the standard library: a script may start `watchbot-log` for every
line.
"""

import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from watchbot import inherited
from watchbot.logs import piped
from watchbot.logs.line import Envelope, prefix

LEVELS = {"debug": 20, "info": 30, "warning": 40, "error": 50, "critical": 60}  # bunyan's numbers

_HELP = f"""\
usage: watchbot-log [--level LEVEL] [--] [TEXT]...

Prints TEXT, or each line of standard input, with time, [worker] and $MessageId in front; as JSON
if $structuredLogging. Of lines that end in CR, as those of progress bars do, the last one once a
second. LEVEL: {", ".join(LEVELS)}; without it: info.
"""


def render(text: bytes, level: str) -> bytes:
    """The log lines for a text: each line with a prefix, or one JSON object.

    Raises `ValueError` for an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
    message_id = os.environ.get("MessageId")
    if _structured():
        said = text.decode(errors="backslashreplace")
        envelope = Envelope(who="worker", level=LEVELS[level], message_id=message_id)
        return envelope.line(said).encode()
    mark = "" if level == "info" else f"[{level}] "
    start = os.fsencode(prefix("worker", message_id) + mark)
    return start + text.replace(b"\n", b"\n" + start) + b"\n"


def log(*values: object, sep: str = " ", level: str = "info") -> None:
    """Prints the values like `print`, as a line of the log.

    Raises `ValueError` for an unknown level, and the errors of `print`.
    """
    emit(render(sep.join(map(str, values)).encode(errors="backslashreplace"), level))


def log_stream(level: str = "info") -> TextIO:
    """Opens a text file that prints each line written to it as a line of the log.

    Prints a line without a newline on closing, or when it is 64 Ki characters long.
    """
    render(b"", level)  # raises for an unknown level here, not at the first line
    return _LogStream(level)


def emit(lines: bytes) -> None:
    """Prints rendered lines at once, after all earlier output."""
    stream = sys.stdout
    while isinstance(stream, _LogStream):  # the program may have set it as sys.stdout
        stream = stream.below
    stream.flush()
    if hasattr(stream, "buffer"):
        stream.buffer.write(lines)
    else:
        stream.write(lines.decode(errors="backslashreplace"))
    stream.flush()


class _LogStream(io.TextIOBase, TextIO):
    def __init__(self, level: str) -> None:
        self.below = sys.stdout
        self._level = level
        self._partial = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *whole, self._partial = (self._partial + text).split("\n")
        if len(self._partial) >= piped.MAX_LINE_BYTES:
            whole, self._partial = [*whole, self._partial], ""
        for line in whole:
            log(line, level=self._level)
        return len(text)

    def close(self) -> None:
        if self._partial:
            self.write("\n")
        super().close()


def main(words: list[str] | None = None) -> int:
    """Runs `watchbot-log`; returns the exit code."""
    inherited.put_right()
    try:
        level, texts = _options(sys.argv[1:] if words is None else words)
        if level == "help":
            _write(_HELP.encode())
        elif texts:
            _write(render(os.fsencode(" ".join(texts)), level))
        else:
            for line in _standard_input():
                _write(render(line, level))
    except ValueError as error:
        os.write(2, f"watchbot-log: {error}\n".encode(errors="backslashreplace"))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has ended, as in `watchbot-log | head`
        return 141
    except OSError as error:
        _write(f"watchbot-log: cannot write to standard output: {error.strerror}\n".encode(), 2)
        return 1
    return 0


def _standard_input() -> Iterator[bytes]:
    try:
        yield from piped.lines()
    except OSError as error:
        raise ValueError(f"cannot read standard input: {error.strerror}") from error


def _options(words: list[str]) -> tuple[str, list[str]]:
    """The level, and the words to print. A word that only looks like an option is text."""
    level = "info"
    while words:
        name, equals, value = words[0].partition("=")
        if words[0] in {"-h", "--help"} and len(words) == 1:
            return "help", []
        if words[0] == "--":
            return level, words[1:]
        if name != "--level":
            break
        level, words = (value, words[1:]) if equals else ("".join(words[1:2]), words[2:])
        render(b"", level)
    return level, words


def _write(data: bytes, file: int = 1) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _structured() -> bool:
    names = ("WATCHBOT_STRUCTURED_LOGGING", "structuredLogging")
    value = next((value for name in names if (value := os.environ.get(name))), "")
    return value.lower() in {"1", "t", "true", "y", "yes", "on"}
