"""Locks a watcher's directory for as long as the watcher or one of its workers lives.

The lock (flock) is on the directory itself, and all containers of the machine see it. The kernel
releases the lock when the last process that holds it ends, however that process ends. Workers
inherit the lock, because the workers of a killed watcher run on and still read their files.
A watcher locks a directory first and then gives it the name by which other watchers find it. So a
directory of that name without a lock is abandoned.
"""

import contextlib
import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "watchbot-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}(\.[0-9a-f]{{8}})?")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux only; differs for each boot


@contextmanager
def claimed() -> Iterator[str]:
    """A new directory (0700) below the machine's temporary directory. Raises `OSError`.

    The caller deletes its content.
    """
    path = os.path.realpath(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(path, os.O_RDONLY)
    try:
        if (ending := _ending()) and _lock(lock):
            os.set_inheritable(lock, True)
            os.rename(path, path + ending)
            path += ending
        yield path
    finally:
        os.close(lock)


def abandoned() -> Iterator[str]:
    """Yields the directories that this user's dead watchers left, each locked while it is yielded.

    Yields nothing where the boot has no id: two kernels may share a disk, and neither sees the
    other's locks.
    """
    ending = _ending()
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*{ending}") if ending else ():
        try:
            file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or gone
            continue
        try:
            if os.fstat(file).st_uid == os.geteuid() and _lock(file):
                yield str(path)
        finally:
            os.close(file)


def is_live(path: str) -> bool:
    """Whether a living watcher holds this directory; true if this process cannot know."""
    name = _NAME.fullmatch(os.path.basename(path))
    if name is None:
        return False
    if name[1] is None or name[1] != _ending():  # not claimed yet, or on another machine
        return True
    try:
        file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        return error.errno in {errno.EACCES, errno.EPERM}  # another user's
    try:
        return not _lock(file)
    finally:
        os.close(file)


def _ending() -> str:
    """The suffix of claimed directories' names on this machine, until its next boot."""
    with contextlib.suppress(OSError):
        return f".{_BOOT_ID.read_text()[:8]}"
    return ""


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has the lock; or a network file system has no locks
        return False
    return True
