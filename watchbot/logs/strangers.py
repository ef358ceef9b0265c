"""What libraries, the interpreter and the event loop say: lines of our log, never a traceback.

A service installs `into_log`, a tool `quietly`. Without either, Python prints what nobody handles
to standard error, in as many lines as it likes.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)


class Retold(logging.Handler):
    """Has a stranger's record said by `watchbot`: one phrase, its logger, its reason."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            facts |= _reason(record.exc_info[1])
        log.log(record.levelno, "%s", _said(record), extra=facts)


class Complaining(logging.Handler):
    """Has a tool's own warnings, and strangers' errors, said in one line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("watchbot") or record.levelno >= logging.ERROR:
            sys.stderr.write(f"watchbot: {_said(record)}\n")


def into_log() -> None:
    """Sends all that is not watchbot's through watchbot's log: warnings, hooks, libraries."""
    _only(Retold(logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda unraisable: _uncaught_beside(unraisable.exc_value)
    threading.excepthook = lambda failed: _uncaught_beside(failed.exc_value)


def quietly() -> None:
    """Keeps libraries' warnings from the terminal of a tool: its own line says what is wrong."""
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
    except Exception:  # its arguments do not fit its text, and it is no line of ours
        text = str(record.msg)
    return " ".join(text.split())
