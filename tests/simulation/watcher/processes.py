"""Processes of the simulation: they take their time, exit as planned, and end when they are told.

A process runs on while its watcher stands still, or is dead.
"""

import asyncio
import errno
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import cast

import anyio

from tests.simulation.watcher.history import Planned
from tests.simulation.watcher.known import Batch, Run
from tests.simulation.watcher.laws import Laws
from watchbot.listen.care import Care, Ending
from watchbot.listen.ends import Ends
from watchbot.listen.output import Output
from watchbot.listen.spawn import Command, SpawnError, Start
from watchbot.listen.spawning import Begun, SpawnRunner
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import WatcherSettings
from watchbot.world import World

OBEYS_S = 0.05
SIGKILL = 9
CANNOT_START = 127
FIRST_PID = 1 << 23  # beyond the largest of Linux: nobody has it
COMMAND = Command(file="/worker", words=("/worker",))


@dataclass(slots=True)
class Machine:
    """What the processes of one watcher run on."""

    watcher: str
    laws: Laws
    outside: Context
    plan: Callable[[str], Planned]  # the next run of a message
    world: World
    happens: Callable[[str], bool]  # whether a fault does, now
    full: bool = False  # it can start no process
    dead: bool = False  # the watcher is
    processes: dict["Process", None] = field(default_factory=dict)  # that run
    pids: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_PID))

    def check(self) -> None:
        """Raises `OSError` when there is no room for a process."""
        if self.full:
            raise OSError(errno.EAGAIN, "no room, as simulated")

    def refuse(self) -> None:
        """Raises `SpawnError` when there is no room for a process."""
        try:
            self.check()
        except OSError as error:
            raise SpawnError(error) from error

    def kill(self) -> None:
        """Kills the watcher: its processes run on."""
        self.dead = True
        for process in list(self.processes):
            process.orphaned()

    def hand_over(
        self, process: "Process", received: Sequence[tuple[str, int]], slot: int
    ) -> list[Run]:
        """The runs of messages, by id and receive, that a process has got now."""
        now, batch = self.world.now(), Batch(process)
        for message_id, receives in received:
            receipt = f"{message_id} {receives}"
            batch.runs.append(Run(self.watcher, message_id, receipt, slot, batch, now))
        for run in batch.runs:
            self.laws.starts(run)
        return batch.runs


class Process(ABC):
    """A process. `exited` is how it ended."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.pid = machine, next(machine.pids)
        self.exited: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.told_to_end = False
        machine.processes[self] = None

    @property
    @abstractmethod
    def stubborn(self) -> bool:
        """Whether it does not end at SIGTERM."""

    @abstractmethod
    def ended(self, how: str, ending: Ending) -> None:
        """Hears of its end, once."""

    def orphaned(self) -> None:  # noqa: B027 - most have nothing to do
        """Hears that its watcher is dead."""

    def catch_up(self) -> None:  # noqa: B027 - most have nothing to do
        """Has printed nothing."""

    def close(self) -> None:  # noqa: B027 - most have nothing to do
        """Lets go of what it holds, as the history is over."""

    async def end(self, grace: Callable[[], Awaitable[None]]) -> None:
        """SIGTERM, and SIGKILL once the grace has returned and it still runs."""
        if self.machine.dead or self.exited.done():
            return
        self.told_to_end = True
        if not self.stubborn:
            self.later(OBEYS_S, self.over, "at SIGTERM", Ending(exit_code=None, signal=15))
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(self._leave, leaving.cancel_scope)
            await grace()
            leaving.cancel_scope.cancel()
        self.kill()

    def kill(self) -> None:
        self.over("by SIGKILL", Ending(exit_code=None, signal=SIGKILL))

    def over(self, how: str, ending: Ending) -> None:
        """Ends; does nothing where it has ended."""
        if not self.exited.done():
            del self.machine.processes[self]
            self.ended(how, ending)
            self.exited.set_result(ending)

    def exits(self, code: int) -> None:
        """Ends by itself, with this code; by SIGKILL from somebody where it is negative."""
        if code < 0:
            self.over("killed by somebody", Ending(exit_code=None, signal=-code))
        else:
            self.over(f"exit code {code}", Ending(exit_code=code))

    def later(self, seconds: float, callback: Callable[..., None], *given: object) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, callback, *given, context=self.machine.outside)

    async def _leave(self, wait: anyio.CancelScope) -> None:
        await asyncio.wait([self.exited])
        wait.cancel()


class Single(Process):
    """A process for one message, which has it from the start."""

    def __init__(
        self, machine: Machine, received: tuple[str, int], slot: int, plan: Planned
    ) -> None:
        super().__init__(machine)
        self._plan = plan
        [self._run] = machine.hand_over(self, [received], slot)
        self.later(plan.lasts, self.exits, plan.code)

    @property
    def stubborn(self) -> bool:
        return self._plan.stubborn

    def ended(self, how: str, ending: Ending) -> None:
        finished = ending.exit_code in (0, 3) and not self.told_to_end
        self.machine.laws.ends(self._run, how, finished=finished)
        self.machine.laws.answers.process_over(self._run, ending, told=self.told_to_end)


async def to_its_end(process: Process, care: Care) -> Ending:
    """How a process ended; when this is cancelled, it is told to end."""
    try:
        return await asyncio.shield(process.exited)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await process.end(care.grace)
        raise


class SimulatedRunner(SpawnRunner):
    """The real runner of one process a message, over simulated processes."""

    def __init__(self, settings: WatcherSettings, machine: Machine, ends: Ends) -> None:
        workspace = cast(Workspace, Nowhere())
        super().__init__(settings, COMMAND, workspace, ends, machine.world)
        self._machine = machine

    async def execute(self, start: Start, output: Output, care: Care, begun: Begun) -> Ending:
        message_id = start.environment[b"MessageId"].decode()
        receives = int(start.environment[b"ApproximateReceiveCount"])
        slot = int(start.environment[b"WATCHBOT_WORKER"])
        if self._machine.dead:
            await anyio.sleep_forever()
        self._machine.refuse()
        plan = self._machine.plan(message_id)
        if plan.code == CANNOT_START:
            raise absent()
        process = Single(self._machine, (message_id, receives), slot, plan)
        if not begun(process):
            process.kill()
        return await to_its_end(process, care)


def absent() -> SpawnError:
    """The error of a command that is not there."""
    return SpawnError(OSError(errno.ENOENT, "no such file, as simulated"))


class Nowhere:
    """A workspace without directories."""

    @asynccontextmanager
    async def job(self) -> AsyncIterator[str]:
        yield "/scratch"

    def variables(self, scratch: str) -> Mapping[str, str]:
        """None of its own."""
        return {}

    async def tidy(self, scratch: str) -> None:
        """Has nothing to empty."""
