"""Starts the one-file binary: unpacks its content once, and runs it from there.

Python cannot load compiled modules from within an archive. The bootstrap unpacks them to a
directory that is named by a digest of the content, so that each version has its own directory. Uses
only the standard library.
"""

import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterator

CONTENT = "@CONTENT@"  # a digest of the content; the build writes it
ARCHIVE = sys.path[0]


def caches() -> Iterator[str]:
    """Yields directories to unpack to, the best first."""
    if chosen := os.environ.get("WATCHBOT_CACHE"):
        yield chosen
        return
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        yield os.path.join(home, "watchbot")
    yield os.path.join(tempfile.gettempdir(), f"watchbot-cache-{os.getuid()}")


def unpacked() -> str:
    """The directory of the unpacked content. Exits if no directory is writable."""
    reasons = []
    for cache in caches():
        place = os.path.join(cache, CONTENT)
        try:
            os.makedirs(cache, mode=0o700, exist_ok=True)
            refuse_what_others_may_write(cache)
            if not os.path.isdir(place):
                unpack(cache, place)
        except OSError as error:
            reasons.append(f"{cache}: {error.strerror or error}")
        else:
            return place
    sys.exit(f"watchbot: nowhere to unpack to ({'; '.join(reasons)}); set WATCHBOT_CACHE")


def refuse_what_others_may_write(cache: str) -> None:
    """Raises `PermissionError` if others may write to `cache`, because we run code from there."""
    found = os.lstat(cache)
    others = stat.S_IWGRP | stat.S_IWOTH
    if found.st_uid != os.getuid() or found.st_mode & others or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(1, "others may write there")


def unpack(cache: str, place: str) -> None:
    """Unpacks to a directory beside `place`, and renames it, so that nobody sees half of it."""
    new = tempfile.mkdtemp(dir=cache)
    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            archive.extractall(new)
        os.rename(new, place)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if not os.path.isdir(place):  # else another process was faster
            raise


if __name__ == "__main__":
    # Only the content and the standard library, because installed packages may not fit.
    installed = ("site-packages", "dist-packages")
    library = [path for path in sys.path[1:] if os.path.basename(path) not in installed]
    # A health check has only seconds, and another user may run it; it needs no compiled module.
    content = ARCHIVE if sys.argv[1:2] == ["healthcheck"] else unpacked()
    sys.path[:] = [content, *library]
    from watchbot.__main__ import main

    sys.exit(main())
