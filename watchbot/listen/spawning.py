"""Runs the command for each message in a new process: variables, start, output, end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace

from watchbot.listen import environment, process
from watchbot.listen.care import Ending, StillRunning
from watchbot.listen.ends import AtWork, Ends, Limit, RunCare
from watchbot.listen.environment import Place
from watchbot.listen.output import About, Output, finish
from watchbot.listen.process import Alive
from watchbot.listen.report import Run, Verdict
from watchbot.listen.runner import Job
from watchbot.listen.spawn import Command, SpawnError, Start
from watchbot.listen.workspace import Workspace
from watchbot.outcome import FAILED, LEFT, RELEASED
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Message, about
from watchbot.world import REAL, World

Begun = Callable[[Alive], bool]


class SpawnRunner:
    """A `Runner` that starts a process for each message. Takes batches of one message."""

    def __init__(
        self,
        settings: WatcherSettings,
        command: Command,
        workspace: Workspace,
        ends: Ends,
        world: World = REAL,
    ) -> None:
        self._settings, self._command, self._workspace = settings, command, workspace
        self._ends, self._world = ends, world
        self._codes = settings.exit_codes
        self._base = environment.base_environment(
            structured=settings.structured_logging,
            credentials=not settings.no_worker_credentials,
        )
        self._rooms: dict[int, AsyncExitStack] = {}  # by slot: closed after the batch is settled

    def __len__(self) -> int:
        return len(self._ends)

    def release_all(self) -> None:
        self._ends.release_all()

    def kill(self, message: Message) -> None:
        self._ends.kill(message)

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
        if why := job.withheld():
            return Verdict(outcome=RELEASED, reason=why)
        about_it = About.messages([job.message])
        output = Output(about_it, structured=self._settings.structured_logging)
        ending, reason, left = None, None, None
        care = RunCare(self._ends, job.left_s, lambda: about(job.message))
        began = self._world.now()
        with self._ends.limited([job]) as limit:
            care.limit = limit
            deadline = self._world.wall() + limit.seconds
            place = Place(
                worker=slot, scratch=scratch, deadline=deadline, more=self._more(job, scratch)
            )
            try:
                ending, left = await self._execute(job, limit, place, output, care)
            except SpawnError as error:
                if error.machines_fault:
                    raise OSError(error.number, str(error)) from error
                reason = f"cannot start: {error}"
        lasted_s = self._world.now() - began
        run = Run(id=self._world.name(), duration_s=lasted_s, usage=care.usage)
        await finish(output)
        outcome = FAILED if ending is None else self._codes.outcome(ending.exit_code)
        if left is not None:
            outcome, reason = LEFT, left
        elif limit.ended:
            outcome, reason = self._ends.told(limit)
        return Verdict(outcome=outcome, ending=ending, reason=reason, run=run, tail=output.tail)

    async def execute(self, start: Start, output: Output, care: RunCare, begun: Begun) -> Ending:
        """Runs a process to its end; see `process.run`. A simulation has processes of its own."""
        return await process.run(start, output, care, begun)

    async def _to_its_end(
        self, start: Start, output: Output, care: RunCare, begun: Begun
    ) -> tuple[Ending | None, str | None]:
        """Runs a process; returns its ending, and the reason to leave its message or None."""
        try:
            return await self.execute(start, output, care, begun), None
        except StillRunning as still:
            if still.ending is not None and self._codes.outcome(still.ending.exit_code).removes:
                return still.ending, None
            return still.ending, f"{still}: left to its visibility timeout"

    def _more(self, job: Job, scratch: str) -> Mapping[str, str]:
        resume = job.asks.resume
        resumed = {} if resume is None else {"WATCHBOT_CHECKPOINT": resume}
        return {**self._workspace.variables(scratch), **resumed}

    async def _execute(
        self, job: Job, limit: Limit, place: Place, output: Output, care: RunCare
    ) -> tuple[Ending | None, str | None]:
        content = job.content
        variables = environment.worker_environment(self._base, job.message, content, place)
        no_stdin = self._settings.no_stdin
        start = Start(
            command=self._command,
            environment=variables,
            stdin=None if no_stdin else environment.standard_input(content),
            mark=b"WATCHBOT_SCRATCH=" + variables[b"WATCHBOT_SCRATCH"],
        )
        at_work = AtWork(jobs=lambda: [job], limit=lambda: limit, many=False)
        with ExitStack() as roll:

            def begun(alive: Alive) -> bool:
                roll.enter_context(self._ends.working(alive.pid, at_work))
                return not job.withheld()

            for moved in _ways(variables, content, place.scratch, always=no_stdin):
                try:
                    moved_start = replace(start, environment=moved)
                    return await self._to_its_end(moved_start, output, care, begun)
                except SpawnError as error:
                    if not error.too_big:
                        raise
                    too_big = error
        raise too_big


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
