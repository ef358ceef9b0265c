"""The directory of a watcher, claimed for as long as the watcher or one of its workers lives.

The claim is a lock (flock) on the directory itself. The kernel ends it with the last process that
holds it, however that process dies, and it holds for all containers of the machine. Workers
inherit it: those of a killed watcher run on, and still read their files. A directory gets the
name by which others find it once it is locked; so one of that name without a lock is abandoned.
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
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux's: another one is another kernel's


@contextmanager
def claimed() -> Iterator[str]:
    """A new directory (0700) below the machine's temporary directory. Raises `OSError`.

    Its content is the caller's to delete.
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
    """The directories that this user's dead watchers left, each ours alone while it is looked at.

    None where the kernel cannot be told from others: the lock of one is unknown to another, and
    both may see the same disk.
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
    """Whether a directory is claimed by a living watcher, as far as can be told from here."""
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
    """How the names of claimed directories end on this machine until it starts anew."""
    with contextlib.suppress(OSError):
        return f".{_BOOT_ID.read_text()[:8]}"
    return ""


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody has it; or a network's disk that knows no such locks
        return False
    return True
