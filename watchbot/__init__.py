"""watchbot runs a command for every message of an SQS queue.

Python workers use `log`, `log_stream` and `LogHandler` to print lines with the log's prefix.
CloudFormation stacks in Python use `template` to make a template and `merge` to join several.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchbot.logs.handler import LogHandler
    from watchbot.logs.worker import log, log_stream
    from watchbot.template.build import template
    from watchbot.template.document import merge

__all__ = ["LogHandler", "__version__", "log", "log_stream", "merge", "template"]
__version__ = "1.0.0.dev0"

_HOMES = {
    "LogHandler": "watchbot.logs.handler",
    "log": "watchbot.logs.worker",
    "log_stream": "watchbot.logs.worker",
    "merge": "watchbot.template.document",
    "template": "watchbot.template.build",
}


def __getattr__(name: str) -> Any:
    # Imports on first use, because each of our programs imports this module first.
    if name not in _HOMES:
        raise AttributeError(f"module 'watchbot' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
