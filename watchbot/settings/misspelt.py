"""Finds variables that begin with WATCHBOT_ but set nothing: most are misspelt."""

import difflib
import importlib
import os
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from watchbot import settings
from watchbot.settings.base import Settings, variables

# Known names without an option: the one-file binary's cache, and workers' variables.
_MORE = {"WATCHBOT_CACHE", "WATCHBOT_DEADLINE", "WATCHBOT_SCRATCH", "WATCHBOT_WORKER"}
# Kubernetes sets these in every container, for a Service whose name begins with `watchbot`.
_OF_KUBERNETES = re.compile(
    r"WATCHBOT_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?=.*|=\w+://.*))"
)
_PREFIX = "WATCHBOT_"
_NEAR = 0.7  # difflib's ratio, without the prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A variable that none of our programs reads, and the nearest known name."""

    name: str
    nearest: str | None

    @property
    def advice(self) -> str:
        """A sentence that says how to mend the variable."""
        return f"did you mean {self.nearest}?" if self.nearest else "no option has that name"


def unknown_variables() -> list[Unknown]:
    """The variables that begin with WATCHBOT_, are not empty, and that no program reads."""
    given = [
        name
        for name, value in os.environ.items()
        if name.startswith(_PREFIX) and value and not _OF_KUBERNETES.fullmatch(f"{name}={value}")
    ]
    known = {*_MORE, *_known()} if given else set[str]()
    unknown = sorted(name for name in given if name not in known)
    return [Unknown(name=name, nearest=_nearest(name, known)) for name in unknown]


def _nearest(name: str, known: Iterable[str]) -> str | None:
    ends = [each.removeprefix(_PREFIX) for each in sorted(known)]
    near = difflib.get_close_matches(name.removeprefix(_PREFIX), ends, 1, _NEAR)
    return _PREFIX + near[0] if near else None


def _known() -> Iterator[str]:
    for module in pkgutil.iter_modules(settings.__path__, f"{settings.__name__}."):
        importlib.import_module(module.name)
    kinds = [Settings]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        for name in kind.model_fields:
            yield variables(name)[0]
