"""The messages of a trial: those that are given, or made, and odd ones."""

import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from random import Random

from watchbot.errors import UsageError
from watchbot.settings.chaos import DIRECTORY, ChaosSettings
from watchbot.sqs.message import Message
from watchbot.world import now

INJECTED = "injected"  # the file that a worker makes which runs what is in its message
ODD = {
    "of 1 MiB": "x" * 1_048_576,
    "of one blank": " ",
    "in strange letters": "na\u00efve \u202etfel ot thgir\u202c \U0001f986\u0301 \ufeff",
    "with quotes and lines": "\"double\" 'single' \\ back\ntwo\r\n\tthree",
    "in shell syntax": f'$(touch "${DIRECTORY}/{INJECTED}"); `touch "${DIRECTORY}/{INJECTED}"`',
    "that looks like an option": "--help",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A message of the trial. `odd` says what is odd about it; None: nothing."""

    number: int
    id: str
    body: str
    odd: str | None = None

    @property
    def shown(self) -> str:
        """Its name in a report."""
        text = " ".join(self.body.split())
        return f"message {self.number} ({text[:40]}{'…' if len(text) > 40 else ''})"

    def delivery(self, receives: int) -> Message:
        """The message as it is received for the `receives`th time."""
        sent = str(int(time.time() * 1000))
        return Message(
            id=self.id,
            receipt=f"{self.id} {receives}",
            body=self.body,
            asked_at=now(),
            system={
                "SentTimestamp": sent,
                "ApproximateFirstReceiveTimestamp": sent,
                "ApproximateReceiveCount": str(receives),
            },
        )


def subjects(settings: ChaosSettings, chance: Random) -> list[Subject]:
    """The messages, with ids that the seed decides. Raises `UsageError` for a file without any."""
    bodies: list[tuple[str, str | None]] = [(body, None) for body in _given(settings)]
    if not settings.no_odd:
        bodies += [(body, odd) for odd, body in ODD.items()]
    return [
        Subject(number, str(uuid.UUID(int=chance.getrandbits(128), version=4)), body, odd)
        for number, (body, odd) in enumerate(bodies, 1)
    ]


def _given(settings: ChaosSettings) -> list[str]:
    bodies = list(settings.send)
    if settings.send_file is not None:
        lines = _text(settings.send_file).splitlines()
        bodies += [line for line in lines if line.strip()]
        if not bodies:
            raise UsageError(f"{settings.send_file}: holds no message; write one on each line")
    return bodies or [f'{{"n": {number}}}' for number in range(1, settings.messages + 1)]


def _text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no text in UTF-8, as messages are") from None
