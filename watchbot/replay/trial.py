"""Runs the command for one message as the watcher does, and shows what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio.to_thread

from watchbot.deadletter.letter import visible
from watchbot.listen import environment, spawn
from watchbot.listen.care import Ending
from watchbot.listen.ends import Ends, RunCare
from watchbot.listen.output import Output
from watchbot.listen.spawn import Command, Start
from watchbot.listen.spawning import Begun, SpawnRunner
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import ListenSettings

SHOWN = 400  # characters of a variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """`say` prints a line; `attached`: the process gets our terminal."""

    say: Callable[[str], None]
    attached: bool


class Trial(SpawnRunner):
    """A `SpawnRunner` that says which variables a process gets."""

    def __init__(
        self,
        settings: ListenSettings,
        command: Command,
        workspace: Workspace,
        ends: Ends,
        showing: Showing,
    ) -> None:
        super().__init__(settings, command, workspace, ends)
        self._say, self._attached = showing.say, showing.attached
        self._standing = environment.base_environment()

    async def execute(self, start: Start, output: Output, care: RunCare, begun: Begun) -> Ending:
        self._show(start)
        if not self._attached:
            return await super().execute(start, output, care, begun)
        process = spawn.on_our_terminal(start)
        begun(_Attached(process.pid))
        code = await anyio.to_thread.run_sync(process.wait)
        return Ending(exit_code=code) if code >= 0 else Ending(exit_code=None, signal=-code)

    def _show(self, start: Start) -> None:
        for name, value in sorted(_own(start.environment, self._standing).items()):
            text = value.decode(errors="backslashreplace")
            more = f"… ({len(text):,} characters)" if len(text) > SHOWN else ""
            self._say(f"  {visible(name.decode() + '=' + text[:SHOWN])}{more}")
        if self._attached:
            self._say("  standard input: the terminal")
        elif start.stdin is None:
            self._say("  standard input: none")
        elif isinstance(start.stdin, str):
            self._say("  standard input: the message, as in MessageFile")
        else:
            self._say(f"  standard input: the message, {len(start.stdin):,} bytes")


@dataclass(frozen=True, slots=True)
class _Attached:
    """A process whose output we do not hear."""

    pid: int

    def catch_up(self) -> None:
        """Does nothing: nothing is to be heard."""


def _own(given: Mapping[bytes, bytes], standing: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: value for name, value in given.items() if standing.get(name) != value}
