"""What of ours may lie below a volume, and must outlast its emptying.

A volume is often /tmp, and there may be our code (a virtual environment, the one-file binary and
what it has unpacked), the files that AWS's clients read, and the directories of other watchers.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from watchbot.listen import claim
from watchbot.settings.places import named_places

_MOST_LINKS = 40  # Linux follows no more
_CACHE = re.compile(r"watchbot-cache-\d+")  # of any user's one-file binary


class Spared:
    """Says of what is below a volume whether it stays."""

    def __init__(self, places: Iterable[str | Path], folders: Iterable[str | Path] = ()) -> None:
        """`places` stay with all that is in them; `folders` stay, but not what is in them."""
        self._kept = {step for place in places for step in _trail(place)}
        stays = {step for folder in folders for step in _trail(folder)}
        self._opened = stays | {str(each) for path in self._kept | stays for each in _above(path)}

    def keeps(self, path: str) -> bool:
        """Whether it stays with all that is in it."""
        if path in self._kept or _CACHE.fullmatch(os.path.basename(path)):
            return True
        return (path in self._opened and os.path.islink(path)) or claim.is_live(path)

    def opens(self, path: str) -> bool:
        """Whether it stays, as something that is in it does."""
        return path in self._opened


def own_places() -> Iterator[str | Path]:
    """Where our code lies, Python, and what both read while they run."""
    yield Path(__file__).parents[1]
    yield from filter(None, (sys.prefix, sys.base_prefix, sys.executable, sys.pycache_prefix))
    yield from (os.path.join(folder, sys.argv[0]) for folder in working_directory() or "/")
    yield from filter(os.path.isabs, _library())
    yield from named_places()


def working_directory() -> list[str]:
    """The directory that this program works in; none if it is gone."""
    try:
        return [os.getcwd()]
    except OSError:
        return []


def _library() -> Iterator[str]:
    # Python puts the working directory there, too, and that may be the volume's own business.
    return (path for path in sys.path if not _is_working_directory(path))


def _is_working_directory(path: str) -> bool:
    try:
        return os.path.samefile(path or ".", ".")
    except OSError:
        return False


def _above(path: str) -> Iterable[PurePath]:
    return PurePath(path).parents


def _trail(place: str | Path) -> Iterator[str]:
    """Where a path leads: each link on its way, and its end, none of them behind another link."""
    rest = list(PurePath(os.path.abspath(place)).parts[1:])
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
