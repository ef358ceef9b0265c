"""Tells which process is at the other end of a Unix socket, and of which session it descends."""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

_LOCAL_PEERPID = 2  # <sys/un.h> of macOS; its level, SOL_LOCAL, is 0
_MOST_GENERATIONS = 100


def process_of(connection: socket.socket) -> int | None:
    """The number of the process that has connected; None where the system does not tell."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", told)[0])
        return int(struct.unpack("i", connection.getsockopt(0, _LOCAL_PEERPID, 4))[0])
    except OSError:
        return None


def sessions_of(process: int) -> Iterator[int]:
    """Yields the session of a process, then those of its ancestors, below our own process.

    Yields nothing for a process that is gone. Outside Linux, ancestors are not known.
    """
    for _ in range(_MOST_GENERATIONS):
        if process in (0, 1, os.getpid()):
            return
        try:
            yield os.getsid(process)
        except OSError:
            return
        parent = _parent(process)
        if parent is None:
            return
        process = parent


def _parent(process: int) -> int | None:
    # The name in parentheses may hold spaces and parentheses: the fields begin after the last.
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        open(f"/proc/{process}/stat") as file,
    ):
        return int(file.read().rpartition(")")[2].split()[1])
    return None
