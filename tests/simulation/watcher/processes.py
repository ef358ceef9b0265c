"""Processes of the simulation: they take their time, exit as planned, and end when they are told.

A process runs on while its watcher stands still, or is dead.
"""

import asyncio
import errno
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import cast

import anyio

from tests.simulation.watcher.history import Planned
from tests.simulation.watcher.known import Run
from tests.simulation.watcher.laws import Laws
from watchbot.lifecycle import Stop
from watchbot.listen.care import Care, Ending
from watchbot.listen.ends import Ends
from watchbot.listen.output import Output
from watchbot.listen.report import Run as RunOfCommand
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.listen.spawn import Command, SpawnError, Start
from watchbot.listen.spawning import Begun, SpawnRunner
from watchbot.listen.workspace import Workspace
from watchbot.outcome import LEAVING, RELEASED, TIMED_OUT
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.message import Message
from watchbot.world import World

OBEYS_S = 0.05
GRACE_S = 2
SIGKILL = 9
CANNOT_START = 127


@dataclass(slots=True)
class Machine:
    """What the processes of one watcher run on."""

    watcher: str
    laws: Laws
    outside: Context
    plan: Callable[[str], Planned]  # the next run of a message
    world: World
    full: bool = False  # it can start no process
    dead: bool = False  # the watcher is

    def check(self) -> None:
        """Raises `OSError` when there is no room for a process."""
        if self.full:
            raise OSError(errno.EAGAIN, "no room, as simulated")

    def begins(self, message_id: str, receipt: str, slot: int, batch: object) -> Run:
        """The run of a message, which begins now."""
        run = Run(self.watcher, message_id, receipt, slot, batch, self.world.now())
        self.laws.starts(run)
        return run


class Process:
    """One process, for a message or more; all of them end with it."""

    def __init__(self, machine: Machine, runs: Sequence[Run], plans: Sequence[Planned]) -> None:
        self._machine, self._runs, self._plans = machine, runs, plans
        self.exited: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._told_to_end = False
        self.pid = id(self)
        self._exit_in(max(plan.lasts for plan in plans))

    async def end(self, grace: Callable[[], Awaitable[None]]) -> None:
        """SIGTERM, and SIGKILL once the grace has returned and it still runs."""
        if self._machine.dead or self.exited.done():
            return
        self._told_to_end = True
        if not any(plan.stubborn for plan in self._plans):
            asyncio.get_running_loop().call_later(
                OBEYS_S, self._end, "at SIGTERM", context=self._machine.outside
            )
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(self._leave, leaving.cancel_scope)
            await grace()
            leaving.cancel_scope.cancel()
        self.kill()

    def kill(self) -> None:
        self._end("by SIGKILL")

    def catch_up(self) -> None:
        """Has printed nothing."""

    async def _leave(self, wait: anyio.CancelScope) -> None:
        await asyncio.wait([self.exited])
        wait.cancel()

    def _exit_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._exit, context=self._machine.outside)

    def _exit(self) -> None:
        if self.exited.done():
            return
        for run, plan in zip(self._runs, self._plans, strict=True):
            how = f"exit code {plan.code}" if plan.code >= 0 else "killed by somebody"
            removes = plan.code in (0, 3) and not self._told_to_end
            self._machine.laws.ends(run, how, finished=removes)
        self.exited.set_result(True)

    def _end(self, how: str) -> None:
        if self.exited.done():
            return
        for run in self._runs:
            self._machine.laws.ends(run, how, finished=False)
        self.exited.set_result(False)


class SimulatedRunner(SpawnRunner):
    """The real runner of one process a message, over simulated processes."""

    def __init__(self, settings: WatcherSettings, machine: Machine, stop: Stop) -> None:
        command = Command(file="/worker", words=("/worker",))
        workspace = cast(Workspace, _Nowhere())
        self.ends = Ends(settings, stop)
        super().__init__(settings, command, workspace, self.ends, machine.world)
        self._machine = machine

    async def execute(self, start: Start, output: Output, care: Care, begun: Begun) -> Ending:
        message_id = start.environment[b"MessageId"].decode()
        receives = start.environment[b"ApproximateReceiveCount"].decode()
        slot = int(start.environment[b"WATCHBOT_WORKER"])
        if self._machine.dead:
            await anyio.sleep_forever()
        if self._machine.full:
            raise SpawnError(OSError(errno.EAGAIN, "no room, as simulated"))
        plan = self._machine.plan(message_id)
        if plan.code == CANNOT_START:
            raise SpawnError(OSError(errno.ENOENT, "no such file, as simulated"))
        run = self._machine.begins(message_id, f"{message_id} {receives}", slot, object())
        process = Process(self._machine, [run], [plan])
        if not begun(process):
            process.kill()
            return Ending(exit_code=None, signal=SIGKILL)
        try:
            await asyncio.shield(process.exited)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await process.end(care.grace)
            raise
        return ending_of(plan)


class BatchRunner:
    """A `Runner` of one process a batch, which says for each message how its work ended."""

    def __init__(self, settings: WatcherSettings, machine: Machine, stop: Stop) -> None:
        self._settings, self._machine, self._stop = settings, machine, stop
        self._processes: dict[Process, tuple[anyio.CancelScope, Sequence[Job]]] = {}
        self._released = False

    def __len__(self) -> int:
        return len(self._processes)

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        for job in batch:
            job.leave_seat()
        if self._released:
            return [Verdict(outcome=RELEASED, reason=LEAVING)] * len(batch)
        if self._machine.dead:
            await anyio.sleep_forever()
        self._machine.check()
        plans = [self._machine.plan(job.message.id) for job in batch]
        began, mark = self._machine.world.now(), object()
        runs = [
            self._machine.begins(job.message.id, job.message.receipt, slot, mark) for job in batch
        ]
        process = Process(self._machine, runs, plans)
        with anyio.CancelScope() as scope:
            self._processes[process] = (scope, batch)
            scope.deadline = anyio.current_time() + self._limit_s(batch)
            try:
                await self._to_its_end(process)
            finally:
                del self._processes[process]
        lasted_s = self._machine.world.now() - began
        run_of_command = RunOfCommand(id=self._machine.world.name(), duration_s=lasted_s)
        if scope.cancelled_caught:
            outcome = RELEASED if self._released else TIMED_OUT
            return [Verdict(outcome=outcome, reason="told to end", run=run_of_command)] * len(batch)
        codes = self._settings.exit_codes
        return [
            Verdict(outcome=codes.outcome(ending.exit_code), ending=ending, run=run_of_command)
            for ending in map(ending_of, plans)
        ]

    async def clear(self, slot: int) -> None:
        """Has nothing to make ready."""

    def kill(self, message: Message) -> None:
        """Lets the batch go on for its other messages."""

    def release_all(self) -> None:
        self._released = True
        for scope, _ in self._processes.values():
            scope.cancel()

    async def _to_its_end(self, process: Process) -> None:
        try:
            await asyncio.shield(process.exited)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await process.end(self._grace)
            raise

    async def _grace(self) -> None:
        with anyio.move_on_after(min(self._settings.kill_grace, GRACE_S)):
            await self._stop.forced.wait()

    def _limit_s(self, batch: Sequence[Job]) -> float:
        least_s = min(job.left_s() for job in batch) - self._settings.kill_grace - GRACE_S
        return min(self._settings.max_job_duration or math.inf, least_s)


class _Nowhere:
    """A workspace without directories."""

    @asynccontextmanager
    async def job(self) -> AsyncIterator[str]:
        yield "/scratch"

    def variables(self, scratch: str) -> Mapping[str, str]:
        return {}


def ending_of(plan: Planned) -> Ending:
    """How a process of this plan ends by itself."""
    if plan.code < 0:
        return Ending(exit_code=None, signal=-plan.code)
    return Ending(exit_code=plan.code)
