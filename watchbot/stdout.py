"""Guards standard output of the tools: a failed write ends a tool with a line, not a traceback.

A disk may be full, a terminal may be gone. A reader that has ended (`watchbot ... | head`) is no
error, so `BrokenPipeError` stays unchanged.
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
            drop()  # else the bytes in the buffer would fail again
            raise OutputFailed(error) from error


def guard() -> None:
    """Makes `sys.stdout` raise `OutputFailed` instead of `OSError`."""
    before = sys.stdout
    try:
        if before.fileno() != 1:
            return
    except (AttributeError, OSError, ValueError):  # the program has replaced sys.stdout
        return
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Descriptor()),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.isatty(),
    )


def drop() -> None:
    """Drops all output from now on, including the buffer that Python writes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
