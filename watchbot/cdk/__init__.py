"""A construct for CDK 2 in Python: `from watchbot.cdk import Service` (extra `cdk`)."""

import importlib
from typing import TYPE_CHECKING, Any

from watchbot.errors import MissingExtra

if TYPE_CHECKING:
    from watchbot.cdk.props import ServiceProps
    from watchbot.cdk.service import Service

__all__ = ["Service", "ServiceProps"]
_HOMES = {"Service": "watchbot.cdk.service", "ServiceProps": "watchbot.cdk.props"}


def __getattr__(name: str) -> Any:
    # Imports on first use, because the construct's libraries take seconds to load.
    if name not in _HOMES:
        raise AttributeError(f"module 'watchbot.cdk' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        raise MissingExtra("cdk", "watchbot.cdk") from error
