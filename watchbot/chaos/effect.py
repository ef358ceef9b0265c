"""Runs the user's scripts around a round: `--reset` before it, and `--check` after it."""

import math
from collections.abc import Mapping, Sequence

import anyio

from watchbot.errors import UsageError
from watchbot.listen import environment, process, spawn
from watchbot.listen.executable import SHELL
from watchbot.listen.output import Stream
from watchbot.listen.spawn import Start
from watchbot.listen.usage import Usage

MOST_BYTES = 10_000_000  # of a script's output


class _Heard:
    """Keeps what a script prints."""

    full = False

    def __init__(self) -> None:
        self.printed: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}

    def feed(self, stream: Stream, data: bytes) -> None:
        if len(self.printed[stream]) < MOST_BYTES:
            self.printed[stream] += data

    def when_room(self, callback: object) -> None:
        """Never called, as there is always room."""


class _NoCare:
    """A script gets as long as it takes."""

    remind_s = math.inf

    async def grace(self) -> None:
        await anyio.sleep(1)

    async def patience(self) -> None:
        """Waits for no process that cannot be ended."""

    def still_runs(self, processes: Sequence[int], reason: str) -> None:
        """Is not told."""

    def killed(self, processes: Mapping[int, str]) -> None:
        """Is not told."""

    def used(self, usage: Usage) -> None:
        """Is not told."""


async def output_of(option: str, script: str) -> str:
    """What a script prints on standard output. Raises `UsageError` if it fails."""
    command = spawn.resolve([SHELL, "-c", script], shell=False)
    heard = _Heard()
    start = Start(command=command, environment=environment.base_environment(), stdin=None)
    ending = await process.run(start, heard, _NoCare())
    if ending.exit_code != 0:
        words = heard.printed["stderr"].decode(errors="replace").strip().rpartition("\n")[2]
        said = f"; it said: {words}" if words else ""
        raise UsageError(f"{option}: the script ended with {ending}{said}")
    return heard.printed["stdout"].decode(errors="backslashreplace")
