"""Names the files below a volume that emptying it must spare.

A volume is often /tmp. There may lie our code (a virtual environment, the one-file binary and its
unpacked files), the files that the AWS clients read, and the directories of other watchers.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from watchbot.listen import claim
from watchbot.settings.named_paths import named_paths

_MOST_LINKS = 40  # Linux follows no more
_CACHE = re.compile(r"watchbot-cache-\d+")  # of any user's one-file binary


class Spared:
    """Knows which files and directories below a volume stay."""

    def __init__(self, paths: Iterable[str | Path], folders: Iterable[str | Path] = ()) -> None:
        """Keeps `paths` with all their content, and `folders` without their content."""
        self._kept = {step for path in paths for step in _trail(path)}
        stays = {step for folder in folders for step in _trail(folder)}
        self._opened = stays | {str(each) for path in self._kept | stays for each in _above(path)}

    def keeps(self, path: str) -> bool:
        """Whether `path` stays with all its content."""
        if path in self._kept or _CACHE.fullmatch(os.path.basename(path)):
            return True
        return (path in self._opened and os.path.islink(path)) or claim.is_live(path)

    def opens(self, path: str) -> bool:
        """Whether `path` stays because a path inside it stays."""
        return path in self._opened


def own_paths() -> Iterator[str | Path]:
    """Yields the paths of our code and of Python, and of the files that both read."""
    yield Path(__file__).parents[1]
    yield from filter(None, (sys.prefix, sys.base_prefix, sys.executable, sys.pycache_prefix))
    yield from (os.path.join(folder, sys.argv[0]) for folder in working_directory() or "/")
    yield from filter(os.path.isabs, _library())
    yield from named_paths()


def working_directory() -> list[str]:
    """The working directory, as a list; empty if the directory no longer exists."""
    try:
        return [os.getcwd()]
    except OSError:
        return []


def _library() -> Iterator[str]:
    # Python adds the working directory to its path, and that may be a volume to empty.
    return (path for path in sys.path if not _is_working_directory(path))


def _is_working_directory(path: str) -> bool:
    try:
        return os.path.samefile(path or ".", ".")
    except OSError:
        return False


def _above(path: str) -> Iterable[PurePath]:
    return PurePath(path).parents


def _trail(path: str | Path) -> Iterator[str]:
    """Yields each link on the way of a path, and its end; no yielded path is behind a link."""
    rest = list(PurePath(os.path.abspath(path)).parts[1:])
    here, links = "/", 0
    while rest:
        here = os.path.normpath(os.path.join(here, rest.pop(0)))
        if os.path.islink(here) and links < _MOST_LINKS:
            yield here
            links += 1
            target = PurePath(os.readlink(here))
            rest = [*target.parts[target.is_absolute() :], *rest]
            here = "/" if target.is_absolute() else os.path.dirname(here)
    yield here
