"""Runs the command for each message in a new process: variables, start, output, end."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import anyio

from watchbot.lifecycle import Stop
from watchbot.listen import environment, process
from watchbot.listen.care import Ending, StillRunning
from watchbot.listen.environment import Place
from watchbot.listen.output import Output
from watchbot.listen.report import Run, Verdict
from watchbot.listen.runner import Job
from watchbot.listen.spawn import Command, SpawnError, Start
from watchbot.listen.workspace import Workspace
from watchbot.outcome import FAILED, LEAVING, LEFT, RELEASED, TIMED_OUT, Outcome
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Message
from watchbot.world import REAL, World

RETURN_MARGIN_S = 5  # time to return a message before its twelve hours are over
REMIND_S = 60.0  # between two log lines about a worker that cannot be ended
NAMED = 10  # the most processes that a log line names
LAST_GRACE_S = 2  # from SIGTERM to SIGKILL after the drain: the container ends soon

log = logging.getLogger(__name__)


class _Running:
    """A run under way; `killed` is set when the run is ended because its lease is lost."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        self.scope = scope
        self.killed = False


class SpawnRunner:
    """A `Runner` that starts a process for each message. Takes batches of one message."""

    def __init__(
        self,
        settings: WatcherSettings,
        command: Command,
        workspace: Workspace,
        stop: Stop,
        world: World = REAL,
    ) -> None:
        self._settings, self._command, self._workspace = settings, command, workspace
        self._stop, self._world = stop, world
        self._codes = settings.exit_codes
        self._base = environment.base_environment(
            structured=settings.structured_logging,
            credentials=not settings.no_worker_credentials,
        )
        self._running: dict[str, _Running] = {}  # by receipt: a message may be in hand twice
        self._rooms: dict[int, AsyncExitStack] = {}  # by slot: closed after the batch is settled
        self._released = anyio.Event()
        self._graces: dict[anyio.CancelScope, None] = {}

    def __len__(self) -> int:
        return len(self._running)

    def release_all(self) -> None:
        self._released.set()
        for grace in self._graces:
            grace.deadline = min(grace.deadline, anyio.current_time() + LAST_GRACE_S)
        for run in self._running.values():
            run.scope.cancel()

    def kill(self, message: Message) -> None:
        if run := self._running.get(message.receipt):
            run.killed = True
            run.scope.cancel()

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        [job] = batch
        async with AsyncExitStack() as room:
            scratch = await room.enter_async_context(self._workspace.job())
            # No `await` from here to the start, so no other task takes the freed descriptors.
            job.leave_seat()
            verdict = await self._run(job, slot, scratch)
            self._rooms[slot] = room.pop_all()
        return [verdict]

    async def clear(self, slot: int) -> None:
        if room := self._rooms.pop(slot, None):
            await room.aclose()

    async def _run(self, job: Job, slot: int, scratch: str) -> Verdict:
        if self._released.is_set():
            return Verdict(outcome=RELEASED, reason=LEAVING)
        output = Output(job.message.id, structured=self._settings.structured_logging)
        limit_s = self._limit_s(job)
        place = Place(worker=slot, scratch=scratch, deadline=self._world.wall() + limit_s)
        ending, reason, left = None, None, None
        began = self._world.now()
        with anyio.CancelScope(deadline=anyio.current_time() + limit_s) as scope:
            running = self._running[job.message.receipt] = _Running(scope)
            try:
                ending, left = await self._execute(job, place, output)
            except SpawnError as error:
                if error.machines_fault:
                    raise OSError(error.number, str(error)) from error
                reason = f"cannot start: {error}"
            finally:
                del self._running[job.message.receipt]
        run = Run(id=self._world.name(), duration_s=self._world.now() - began)
        await _finish(output)
        outcome = FAILED if ending is None else self._codes.outcome(ending.exit_code)
        if left is not None:
            outcome, reason = LEFT, left
        elif scope.cancelled_caught:
            outcome, reason = self._told_to_end(running, limit_s)
        return Verdict(outcome=outcome, ending=ending, reason=reason, run=run, tail=output.tail)

    async def execute(
        self, start: Start, output: Output, care: "_Care", held: Callable[[], bool]
    ) -> Ending:
        """Runs a process to its end; see `process.run`. A simulation has processes of its own."""
        return await process.run(start, output, care, held)

    async def _to_its_end(
        self, start: Start, output: Output, care: "_Care", held: Callable[[], bool]
    ) -> tuple[Ending | None, str | None]:
        """Runs a process; returns its ending, and the reason to leave its message or None."""
        try:
            return await self.execute(start, output, care, held), None
        except StillRunning as still:
            if still.ending is not None and self._codes.outcome(still.ending.exit_code).removes:
                return still.ending, None
            return still.ending, f"{still}: left to its visibility timeout"

    def _told_to_end(self, running: _Running, limit_s: float) -> tuple[Outcome, str]:
        # The exit code does not count: 0 after a SIGTERM says that the worker ended, not its work.
        if running.killed:
            return RELEASED, "killed"
        if self._released.is_set():
            return RELEASED, LEAVING
        return TIMED_OUT, f"ran over {limit_s:g} s"

    async def _execute(
        self, job: Job, place: Place, output: Output
    ) -> tuple[Ending | None, str | None]:
        content = job.content
        variables = environment.worker_environment(self._base, job.message, content, place)
        care = _Care(job, self._grace, self._released)
        no_stdin = self._settings.no_stdin
        start = Start(
            command=self._command,
            environment=variables,
            stdin=None if no_stdin else environment.message_bytes(content),
            mark=b"WATCHBOT_SCRATCH=" + variables[b"WATCHBOT_SCRATCH"],
        )
        for moved in _ways(variables, content, place.scratch, always=no_stdin):
            try:
                moved_start = replace(start, environment=moved)
                return await self._to_its_end(moved_start, output, care, job.held)
            except SpawnError as error:
                if not error.too_big:
                    raise
                too_big = error
        raise too_big

    def _limit_s(self, job: Job) -> float:
        most_s = max(job.left_s() - self._settings.kill_grace - RETURN_MARGIN_S, 1.0)
        return min(self._settings.max_job_duration or most_s, most_s)

    async def _grace(self) -> None:
        grace_s = self._settings.kill_grace
        with anyio.CancelScope() as grace:
            most_s = min(grace_s, LAST_GRACE_S) if self._released.is_set() else grace_s
            grace.deadline = anyio.current_time() + most_s
            self._graces[grace] = None
            try:
                await self._stop.forced.wait()
            finally:
                del self._graces[grace]


class _Care:
    """Decides how long one worker gets to end, and logs processes that do not end."""

    remind_s = REMIND_S

    def __init__(
        self, job: Job, grace: Callable[[], Awaitable[None]], released: anyio.Event
    ) -> None:
        self._job, self._grace, self._released = job, grace, released

    async def grace(self) -> None:
        await self._grace()

    async def patience(self) -> None:
        """Returns when all messages are released, or when the lease's twelve hours are over."""
        while (left_s := self._job.left_s()) > 0 and not self._released.is_set():
            # The leases' clock runs while the machine sleeps, but the event loop's clock does not.
            with anyio.move_on_after(min(left_s, self.remind_s)):
                await self._released.wait()

    def still_runs(self, processes: Sequence[int], reason: str) -> None:
        self._log(log.error, "worker cannot be ended", pid=_some(processes), reason=reason)

    def killed(self, processes: Mapping[int, str]) -> None:
        names = sorted(set(processes.values()))
        facts = {"count": len(processes), "pid": _some(list(processes)), "command": _some(names)}
        self._log(log.warning, "killed what the worker left running", **facts)

    def _log(self, write: Callable[..., None], phrase: str, **facts: object) -> None:
        write(phrase, extra={"message_id": self._job.message.id, **facts})


def _ways(
    variables: Mapping[bytes, bytes], content: Content, scratch: str, *, always: bool
) -> Iterator[Mapping[bytes, bytes]]:
    """Yields environments with ever more of the message in files, as variables may be too long.

    `always`: puts the body into a file from the first environment on.
    """
    texts = environment.message_texts(content)
    rest = {name: text for name, text in texts.items() if name.encode() not in variables}
    variables = environment.with_files(variables, rest, scratch)
    body = {"Message": texts.pop("Message")}
    if always:
        filed = environment.with_files(variables, body, scratch)
        variables = {**variables, **filed}
    yield variables
    variables = environment.with_files(variables, body, scratch)
    yield variables
    if texts:
        yield environment.with_files(variables, texts, scratch)


def _some(items: Sequence[object]) -> str:
    return ",".join(map(str, items[:NAMED])) + (",..." if len(items) > NAMED else "")


async def _finish(output: Output) -> None:
    try:
        await output.finish()
    except Exception:  # a log that fails changes no outcome
        log.exception("output lost")
