"""The start of the one-file binary: unpacks what it holds, once, and runs it from there.

Compiled modules cannot be loaded from within an archive. They are unpacked to a directory that is
named by their content, so that another version gets another one. The standard library alone.
"""

import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterator

CONTENT = "@CONTENT@"  # a digest of all that is inside; written by the build
ARCHIVE = sys.path[0]


def caches() -> Iterator[str]:
    """Where to unpack, the best place first."""
    if chosen := os.environ.get("WATCHBOT_CACHE"):
        yield chosen
        return
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        yield os.path.join(home, "watchbot")
    yield os.path.join(tempfile.gettempdir(), f"watchbot-cache-{os.getuid()}")


def unpacked() -> str:
    """The directory of the content, unpacked now or before. Exits when no place can be written."""
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
    """Raises `PermissionError`: whoever can write there could have us run what is theirs."""
    found = os.lstat(cache)
    others = stat.S_IWGRP | stat.S_IWOTH
    if found.st_uid != os.getuid() or found.st_mode & others or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(1, "others may write there")


def unpack(cache: str, place: str) -> None:
    """All at once for whoever looks on: beside its place first, then renamed."""
    new = tempfile.mkdtemp(dir=cache)
    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            archive.extractall(new)
        os.rename(new, place)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if not os.path.isdir(place):  # else somebody else was faster
            raise


if __name__ == "__main__":
    # The content alone, and the standard library: what is installed here may not fit it.
    installed = ("site-packages", "dist-packages")
    library = [path for path in sys.path[1:] if os.path.basename(path) not in installed]
    # A health check has a few seconds, and may be another user's: it needs nothing compiled.
    content = ARCHIVE if sys.argv[1:2] == ["healthcheck"] else unpacked()
    sys.path[:] = [content, *library]
    from watchbot.cli import main

    sys.exit(main())
