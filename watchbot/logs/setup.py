"""Writes a service's log records as lines on standard output."""

import json
import logging
from typing import Any

from watchbot.logs import strangers
from watchbot.logs.line import Envelope, prefix
from watchbot.logs.sink import stdout
from watchbot.outcome import FAILURE

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "message_id"}
log = logging.getLogger(__name__)

_LEVELS = {logging.WARNING: 40, logging.ERROR: 50, logging.CRITICAL: 60}  # bunyan's; else 30


class TextFormatter(logging.Formatter):
    """Formats a service's lines as text: a fixed phrase, then its facts as name=value.

    Writes `figures` at the end as `name value`, because a metric filter of CloudWatch reads only a
    number that stands alone. Writes `result` before them as JSON, as ecs-watchbot did. Leaves
    `queue` out unless `of_queues`, as there is only one.
    """

    def __init__(self, who: str = "watcher", *, of_queues: bool = False) -> None:
        super().__init__()
        self._who, self._of_queues = who, of_queues

    def format(self, record: logging.LogRecord) -> str:
        message_id = getattr(record, "message_id", None)
        facts = _facts(record)
        mark = f"[{FAILURE}] " if facts.pop("worker_event", None) == FAILURE else ""
        figures, result = facts.pop("figures", {}), facts.pop("result", None)
        queue = facts.pop("queue", None)
        facts |= {"queue": queue} if queue and self._of_queues else {}
        said = [f"{name}={_word(value)}" for name, value in facts.items() if value is not None]
        said += [json.dumps(result, separators=(",", ":"))] if result else []
        said += [f"{name} {_word(value)}" for name, value in figures.items()]
        line = prefix(self._who, message_id) + mark + " ".join([record.getMessage(), *said])
        return line if not record.exc_info else line + "\n" + self.formatException(record.exc_info)


class JsonFormatter(logging.Formatter):
    """Formats a service's lines as JSON objects: the phrase is `msg`, the facts are fields."""

    def __init__(self, who: str = "watcher") -> None:
        super().__init__()
        self._who = who

    def format(self, record: logging.LogRecord) -> str:
        fields = _facts(record)
        fields |= fields.pop("figures", {})
        fields |= fields.pop("result", {})
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        level = _LEVELS.get(record.levelno, 30)
        message_id = getattr(record, "message_id", None)
        envelope = Envelope(who=self._who, level=level, message_id=message_id)
        return envelope.merged({"msg": record.getMessage(), **fields}).removesuffix("\n")


class _LineHandler(logging.Handler):
    """Writes to the sink of the workers' lines, so that lines never mix."""

    def emit(self, record: logging.LogRecord) -> None:
        stdout.write((self.format(record) + "\n").encode(errors="backslashreplace"))


def configure(*, structured: bool, who: str = "watcher", of_queues: bool = False) -> None:
    """Sends watchbot's log to standard output, as JSON lines or as text lines of `who`.

    `of_queues`: there are several queues, and text lines name them, too.
    """
    stdout.dropped, stdout.moved = _dropped, _moved
    handler = _LineHandler()
    text = TextFormatter(who, of_queues=of_queues)
    handler.setFormatter(JsonFormatter(who) if structured else text)
    logger = logging.getLogger("watchbot")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    strangers.into_log()
    # No line shows threads, processes and source lines, so logging need not collect them.
    # https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # turns off the search for the caller's line


def _dropped(lines: int) -> None:
    log.warning("lines dropped: nobody read them", extra={"lines": lines})


def _moved(fault: OSError) -> None:
    log.warning(
        "standard output cannot be written, going on on standard error",
        extra={"reason": fault.strerror},
    )


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _word(value: object) -> str:
    # A fact may come from a message, and its control characters must not begin a new line.
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return json.dumps(text) if not text or not text.isprintable() or " " in text else text
