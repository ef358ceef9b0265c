"""Standard output of the tools: when it cannot be written, they end with one line, not a traceback.

A disk may be full, a terminal may be gone. A reader that has left (`watchbot ... | head`) is no
error: `BrokenPipeError` stays what it is.
"""

import io
import os
import sys

from watchbot.errors import OutputFailed


class _Descriptor(io.FileIO):
    def write(self, data: object) -> int | None:
        try:
            return super().write(data)  # type: ignore[arg-type]  # any buffer, as below
        except (BrokenPipeError, BlockingIOError):
            raise
        except OSError as error:
            drop()  # what waits in the buffer must not fail once more
            raise OutputFailed(error) from error


def guard() -> None:
    """Has `sys.stdout` raise `OutputFailed` in the place of `OSError`."""
    before = sys.stdout
    try:
        if before.fileno() != 1:
            return
    except (AttributeError, OSError, ValueError):  # another object is in its place
        return
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(1, "w", closefd=False)),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering,
    )


def drop() -> None:
    """Drops what is written from now on, also what Python writes when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
