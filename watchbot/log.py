"""Log lines, as text and as JSON; the standard library alone, because it must start fast.

Text:  [Thu, 28 Jul 2016 00:12:37 GMT] [worker] [<message id>] what happened
JSON:  one object a line, with the fields that ecs-watchbot's logger wrote.
"""

import json
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from watchbot.sink import stdout

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "message_id"}
_LEVELS = {logging.WARNING: 40, logging.ERROR: 50, logging.CRITICAL: 60}  # bunyan's; else 30
_HOSTNAME = socket.gethostname()


def date(seconds: float) -> str:
    """The date as HTTP and JavaScript's toUTCString write it: Thu, 28 Jul 2016 00:12:37 GMT."""
    moment = time.gmtime(seconds)
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02d} {month} {time.strftime('%Y %H:%M:%S', moment)} GMT"


def prefix(who: str, message_id: str | None) -> str:
    """The start of a text line said now by `who` ("watcher" or "worker")."""
    about = f"[{message_id}] " if message_id else ""
    return f"[{date(time.time())}] [{who}] {about}"


class Envelope:
    """The fields that JSON lines said now have in common; makes such lines, cheaply."""

    def __init__(self, *, level: int, message_id: str | None) -> None:
        now = time.time()
        whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        self._fields: dict[str, Any] = {
            "v": 0,
            "level": level,
            "name": "watchbot",
            "hostname": _HOSTNAME,
            "pid": os.getpid(),
            "time": f"{whole}.{int(now % 1 * 1e3):03d}Z",
        }
        if message_id:
            self._fields["watchbot_sqs_message_id"] = message_id
        self._start = json.dumps(self._fields)[:-1] + ', "msg": '

    def line(self, text: str) -> str:
        """The line that says this."""
        return f"{self._start}{encode_basestring_ascii(text)}}}\n"

    def merged(self, fields: Mapping[str, Any]) -> str:
        """The line with these fields, over ours where they have the same name."""
        return json.dumps({**self._fields, "msg": "", **fields}, default=str) + "\n"


class TextFormatter(logging.Formatter):
    """The watcher's lines as text: a fixed phrase, then its facts as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        message_id = getattr(record, "message_id", None)
        facts = _facts(record)
        mark = "[failure] " if facts.pop("worker_event", None) == "failure" else ""
        said = [f"{name}={_word(value)}" for name, value in facts.items() if value is not None]
        line = prefix("watcher", message_id) + mark + " ".join([record.getMessage(), *said])
        return line if not record.exc_info else line + "\n" + self.formatException(record.exc_info)


class JsonFormatter(logging.Formatter):
    """The watcher's lines as JSON objects: the phrase is `msg`, its facts are fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _facts(record)
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        level = _LEVELS.get(record.levelno, 30)
        envelope = Envelope(level=level, message_id=getattr(record, "message_id", None))
        return envelope.merged({"msg": record.getMessage(), **fields}).removesuffix("\n")


class _Writer(logging.Handler):
    """Writes where the workers' lines go, too, so that lines never mix."""

    def emit(self, record: logging.LogRecord) -> None:
        stdout.write((self.format(record) + "\n").encode(errors="backslashreplace"))


def configure(*, structured: bool) -> None:
    """Sends what watchbot logs to standard output, as text or as JSON lines."""
    handler = _Writer()
    handler.setFormatter(JsonFormatter() if structured else TextFormatter())
    logger = logging.getLogger("watchbot")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def write(data: bytes) -> None:
    """Writes whole lines to standard output, or to standard error once that is closed.

    Never raises: a log that nobody reads must not cost a message.
    """
    for stream in (1, 2):
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(stream, rest) :]
        except OSError:
            continue
        return


def main(words: list[str] | None = None) -> int:
    """`watchbot-log`: prints its words, or the lines of standard input, with the prefix."""
    words = sys.argv[1:] if words is None else words
    if words == ["--help"] or words == ["-h"]:
        write(b"usage: watchbot-log [TEXT]...\n\nPrints TEXT, or each line of standard input, ")
        write(b"with time, [worker] and $MessageId\nin front; as JSON if $structuredLogging.\n")
        return 0
    if words:
        _say(os.fsencode(" ".join(words)))
        return 0
    for line in sys.stdin.buffer:
        _say(line.removesuffix(b"\n"))
    return 0


def _say(text: bytes) -> None:
    message_id = os.environ.get("MessageId")
    structured = os.environ.get("WATCHBOT_STRUCTURED_LOGGING") or os.environ.get(
        "structuredLogging", ""
    )
    if structured.lower() in {"true", "1", "yes", "on"}:
        said = text.decode(errors="backslashreplace")
        write(Envelope(level=30, message_id=message_id).line(said).encode())
    else:
        write(os.fsencode(prefix("worker", message_id)) + text + b"\n")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _word(value: object) -> str:
    # A fact may come from a message: no control character of it may begin a line of its own.
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return json.dumps(text) if not text or not text.isprintable() or " " in text else text
