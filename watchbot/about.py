"""What this copy of watchbot is: `watchbot --version --json`."""

import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from watchbot import __version__
from watchbot.extras import DISTRIBUTION, kind_of

_FOR_DEVELOPERS = {"dev", "release"}
# No requirement of ours names these; but whoever looks for a fault of AWS's clients needs them.
_BEHIND = ["aiobotocore", "botocore"]


def about() -> dict[str, Any]:
    """The version, how it was installed, its Python, and the libraries and extras that it finds.

    `libraries` has the versions of those that are installed; an extra counts if all of its
    libraries are.
    """
    needed = _needed()
    found = {name: _version(name) for names in needed.values() for name in names}
    extras = (extra for extra in needed if extra and extra not in _FOR_DEVELOPERS)
    return {
        "version": __version__,
        "build": kind_of(),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "extras": sorted(extra for extra in extras if all(found[name] for name in needed[extra])),
        "libraries": {name: found[name] for name in sorted(found) if found[name]},
    }


def _needed() -> dict[str, list[str]]:
    """The distributions that each extra needs, by its name; those of all are under an empty one."""
    needed: dict[str, list[str]] = {"": [*_BEHIND]}
    for requirement in _requirements():
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
        extra = re.search(r"extra == ['\"]([\w-]+)", requirement)
        group = extra[1] if extra else ""
        if name != DISTRIBUTION and group not in _FOR_DEVELOPERS:
            needed.setdefault(group, []).append(name)
    return needed


def _requirements() -> list[str]:
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # copied, not installed
        return []


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
