"""For workers in Python: asks the watcher for something while the worker runs.

    from watchbot import control

    control.progress(0.4, "40 of 100 tiles")
    control.checkpoint(b"tile 40")

In a batch or with `--warm`, name the message that is meant by its id (`message=`). Each function
raises `NotInRun` where no watcher runs this process, and `NotGranted` where the watcher refuses or
does not answer. Imports only from the standard library, and little: `watchbot ctl` starts with it.
"""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

from watchbot.errors import NotGranted, NotInRun

if TYPE_CHECKING:
    from typing import Any

VARIABLE = "WATCHBOT_CONTROL"
MOST_CHECKPOINT = 262_144  # bytes
ANSWER_S = 60  # a watcher gives a store of checkpoints less


def retry_after(seconds: float, message: str | None = None) -> float:
    """Has the message come back after `seconds`, if it comes back.

    Returns the seconds that it will be: no message can wait longer than twelve hours after its
    receive.
    """
    return float(_ask("retry-after", message, seconds=seconds)["seconds"])


def reject(reason: str = "", message: str | None = None) -> None:
    """Has the message deleted, and somebody told, whatever the exit code of the run will be.

    Counts only if the run then ends by itself.
    """
    _ask("reject", message, reason=reason)


def progress(fraction: float, text: str = "", message: str | None = None) -> None:
    """Tells how much of the work is done, from 0 to 1, for the log and `watchbot top`."""
    _ask("progress", message, fraction=fraction, text=text)


def checkpoint(content: bytes | str, message: str | None = None) -> None:
    """Stores up to 256 KiB for the next run of the message; needs `--checkpoints`.

    Returns when the content is stored, in place of what was stored before.
    """
    import base64

    data = content.encode() if isinstance(content, str) else content
    _ask("checkpoint", message, base64=base64.b64encode(data).decode())


def resume(message: str | None = None) -> bytes | None:
    """The last checkpoint that an earlier run of the message stored; None without one."""
    file = _ask("resume", message)["file"]
    if file is None:
        return None
    with open(file, "rb") as stored:
        return stored.read()


def extend(seconds: float, message: str | None = None) -> float:
    """Moves the end of `--max-job-duration` by `seconds`, at most to the end of the lease.

    Returns the seconds that are left.
    """
    return float(_ask("extend", message, seconds=seconds)["seconds"])


def deadline(message: str | None = None) -> float:
    """The seconds that are left until the watcher ends this run."""
    return float(_ask("deadline", message)["seconds"])


def _ask(verb: str, message: str | None, **fields: object) -> dict[str, Any]:
    path = os.environ.get(VARIABLE)
    if not path:
        raise NotInRun(f"{VARIABLE} is not set; only the worker of a watcher has it")
    named = {} if message is None else {"message": message}
    request = json.dumps({"verb": verb, **named, **fields}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError as error:
            raise NotInRun(f"no watcher answers at {path}: {error.strerror}") from error
        answer = _exchange(connection, request)
    if not answer.get("ok"):
        raise NotGranted(str(answer.get("error")))
    return answer


def _exchange(connection: socket.socket, request: bytes) -> dict[str, Any]:
    connection.settimeout(ANSWER_S)
    read = b""
    try:
        connection.sendall(request)
        while not read.endswith(b"\n"):
            data = connection.recv(65_536)
            if not data:
                break
            read += data
        answer = json.loads(read)
    except (OSError, ValueError) as error:
        raise NotGranted("the watcher did not answer") from error
    return answer if isinstance(answer, dict) else {}
