"""Turns reports of libraries, interpreter and event loop into log lines, never tracebacks.

A service installs `into_log`, a tool `quietly`. Without these, Python prints unhandled errors to
standard error in many lines.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)


class Retold(logging.Handler):
    """Logs a library's record as a line of watchbot: a phrase, its logger, its reason."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            facts |= _reason(record.exc_info[1])
        log.log(record.levelno, "%s", _said(record), extra=facts)


class Complaining(logging.Handler):
    """Prints a tool's own warnings and libraries' errors as one line each on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("watchbot") or record.levelno >= logging.ERROR:
            sys.stderr.write(f"watchbot: {_said(record)}\n")


def into_log() -> None:
    """Sends the warnings and errors of Python and of libraries through watchbot's log."""
    _only(Retold(logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda unraisable: _uncaught_beside(unraisable.exc_value)
    threading.excepthook = lambda failed: _uncaught_beside(failed.exc_value)


def quietly() -> None:
    """Hides libraries' warnings from a tool's user: the tool's own line says what is wrong."""
    _only(Complaining(logging.WARNING))
    logging.captureWarnings(True)


def _only(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("ended by an error of its own", extra=_reason(error))


def _uncaught_beside(error: BaseException | None) -> None:
    if error is not None:
        log.error("error that nobody waited for", extra=_reason(error))


def _reason(error: BaseException) -> dict[str, str]:
    trace = traceback.extract_tb(error.__traceback__)
    location = f"{trace[-1].filename}:{trace[-1].lineno}" if trace else None
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return {"reason": reason, **({"at": location} if location else {})}


def _said(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception:  # a library's record whose arguments do not fit its text
        text = str(record.msg)
    return " ".join(text.split())
