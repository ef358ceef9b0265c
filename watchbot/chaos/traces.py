"""What a command leaves behind: processes that the watcher had to kill, and files."""

import logging
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager

from watchbot.settings.chaos import DIRECTORY

MOST_FILES = 100_000  # of a directory; of a larger one no trace is told
_KILLED = "killed what the worker left running"


class Traces(logging.Handler):
    """Hears of the processes that workers left running: how often, by their names."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._left: list[tuple[str, list[str]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == _KILLED:
            names = str(getattr(record, "command", "?")).split(",")
            self._left.append((str(getattr(record, "message_id", "")), names))

    def processes(self, killed: Set[str]) -> Counter[str]:
        """The processes left, but for those of `killed` messages.

        What such a run leaves may just be dying: the SIGKILL went to all of its group at once.
        """
        left = (names for message_id, names in self._left if message_id not in killed)
        return Counter(name for names in left for name in names)


@contextmanager
def heard() -> Iterator[Traces]:
    """Hears the log of runs while open; nothing of it is printed."""
    logger, traces = logging.getLogger("watchbot"), Traces()
    before = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [traces], False
    try:
        yield traces
    finally:
        logger.handlers[:], logger.propagate = before


def files(own: str) -> Counter[str]:
    """How many files of each name are in the directories that a command may write to.

    They are the working directory, that for temporary files, and the command's own. Numbers in
    names are masked: they differ from run to run, as those of processes do.
    """
    temporary = tempfile.gettempdir()
    places = {os.getcwd(): ".", temporary: temporary, own: f"${DIRECTORY}"}
    return Counter(
        f"{shown}/{re.sub(r'[0-9]+', '#', name)}"
        for place, shown in places.items()
        for name in _names(place, deep=place != temporary)
    )


def _names(directory: str, *, deep: bool) -> list[str]:
    """The files below a directory, by their paths from there; none where there are too many.

    Others have directories of their own in that for temporary files, so that is not gone into.
    """
    found: list[str] = []
    for path, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        found += [os.path.relpath(os.path.join(path, name), directory) for name in names]
        if len(found) > MOST_FILES:
            return []
    return found
