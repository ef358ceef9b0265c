"""What all processes of a runner that are handed messages have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from watchbot.listen import process
from watchbot.listen.care import Care, Ending
from watchbot.listen.ends import Ends
from watchbot.listen.process import Alive, Listener
from watchbot.listen.spawn import Command, Start
from watchbot.listen.warm.dialogue import Opener
from watchbot.settings.listen import WatcherSettings
from watchbot.world import World


class RunProcess(Protocol):
    """Runs a process to its end; see `process.run`."""

    async def __call__(
        self, start: Start, listener: Listener, care: Care, begun: Callable[[Alive], bool]
    ) -> Ending: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What the processes of a runner have in common.

    `stays`: a process is handed batch after batch. Else it is handed one, and its exit code is
    the verdict of each message that it has not answered. `expects` says in words what a process
    that stays is to do, for one that seems not to know it. `run_process` runs a process to its end;
    a simulation has processes of its own.
    """

    settings: WatcherSettings
    command: Command
    base: Mapping[bytes, bytes]
    ends: Ends
    open_dialogue: Opener
    world: World
    stays: bool
    expects: str = ""
    run_process: RunProcess = process.run
