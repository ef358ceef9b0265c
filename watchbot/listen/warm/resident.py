"""How much memory a process holds, with all that it has started."""

import os
from contextlib import suppress
from pathlib import Path

from watchbot.listen.orphans import with_descendants

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(process: int) -> int:
    """The memory that it holds now, in bytes; 0 where there is no /proc to tell."""
    return sum(_own_bytes(each) for each, _ in with_descendants([process]))


def _own_bytes(process: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_BYTES
    return 0
