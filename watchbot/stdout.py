"""Standard output of the tools: when it cannot be written, they end with one line, not a traceback.

A disk may be full, a terminal may be gone. A reader that has left (`watchbot ... | head`) is no
error: `BrokenPipeError` stays what it is.
"""

import io
import os
import sys
from typing import Any

from watchbot.errors import OutputFailed


class _Descriptor(io.RawIOBase):
    def fileno(self) -> int:
        return 1

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(1)

    def write(self, data: Any, /) -> int:
        try:
            return os.write(1, data)
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
        io.BufferedWriter(_Descriptor()),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.isatty(),
    )


def drop() -> None:
    """Drops what is written from now on, also what Python writes when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
