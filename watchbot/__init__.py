"""watchbot runs a command for every message of an SQS queue.

Python workers use `log`, `log_stream` and `LogHandler` to print lines with the log's prefix. Those
that stay, or take batches, use `work` or `messages`, with `Reject` and `Return`.
CloudFormation stacks in Python use `template` to make a template and `merge` to join several.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchbot.line_worker import WatchbotReject as Reject
    from watchbot.line_worker import WatchbotReturn as Return
    from watchbot.line_worker import WorkMessage, messages, work
    from watchbot.logs.handler import LogHandler
    from watchbot.logs.worker import log, log_stream
    from watchbot.template.build import template
    from watchbot.template.document import merge

__all__ = [
    "LogHandler",
    "Reject",
    "Return",
    "WorkMessage",
    "__version__",
    "log",
    "log_stream",
    "merge",
    "messages",
    "template",
    "work",
]
__version__ = "1.0.0"

_HOMES = {  # the module, and what it is called there
    "LogHandler": ("watchbot.logs.handler", "LogHandler"),
    "Reject": ("watchbot.line_worker", "WatchbotReject"),
    "Return": ("watchbot.line_worker", "WatchbotReturn"),
    "WorkMessage": ("watchbot.line_worker", "WorkMessage"),
    "log": ("watchbot.logs.worker", "log"),
    "log_stream": ("watchbot.logs.worker", "log_stream"),
    "merge": ("watchbot.template.document", "merge"),
    "messages": ("watchbot.line_worker", "messages"),
    "template": ("watchbot.template.build", "template"),
    "work": ("watchbot.line_worker", "work"),
}


def __getattr__(name: str) -> Any:
    # Imports on first use, because each of our programs imports this module first.
    if name not in _HOMES:
        raise AttributeError(f"module 'watchbot' has no attribute {name!r}")
    module, inner = _HOMES[name]
    return getattr(importlib.import_module(module), inner)
