"""One job: the command, run for one message, from its variables to what became of it."""

import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from watchbot import metrics
from watchbot.lifecycle import Stop
from watchbot.listen import environment, process
from watchbot.listen.care import Ending, StillRunning
from watchbot.listen.environment import Place
from watchbot.listen.outcome import FAILED, LEFT, RELEASED, TIMED_OUT, Outcome, outcome_of
from watchbot.listen.output import Output
from watchbot.listen.spawn import Command, SpawnError, Start
from watchbot.settings.listen import WatcherSettings
from watchbot.settings.values import Envelope
from watchbot.sqs.envelope import Content, open_envelope
from watchbot.sqs.lease import Lease
from watchbot.sqs.message import Message

RETURN_MARGIN_S = 5  # to give a message back before its twelve hours are over
REMIND_S = 60.0  # from one line about a worker that cannot be ended to the next
NAMED = 10  # processes that a line of the log names at most
LEAVING = "the watcher is leaving"
LAST_GRACE_S = 2  # from SIGTERM to SIGKILL once the drain is over: the container's end is near

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one job."""

    message: Message
    content: Content
    outcome: Outcome
    ending: Ending | None  # None: it did not run to an end of its own
    reason: str | None = None
    duration_s: float = 0.0
    tail: str = ""  # the last output

    @property
    def how(self) -> str:
        """How it ended, in words."""
        return self.reason or str(self.ending)

    @property
    def fingerprint(self) -> str:
        """The same for failures that look alike: ending and last line, numbers masked."""
        last = self.tail.strip().rpartition("\n")[2]
        masked = re.sub(r"\b(0x)?[0-9a-f]*\d[0-9a-f-]*\b", "#", last.lower())
        return hashlib.sha256(f"{self.how}|{masked}".encode(errors="replace")).hexdigest()[:16]


def not_run(
    message: Message, outcome: Outcome, reason: str, *, envelope: Envelope = "open"
) -> Report:
    """The report of a job that never began."""
    return Report(
        message=message,
        content=open_envelope(message, envelope),
        outcome=outcome,
        ending=None,
        reason=reason,
    )


class Jobs:
    """Runs jobs, and can end all that run."""

    def __init__(self, settings: WatcherSettings, command: Command, stop: Stop) -> None:
        self._settings, self._command, self._stop = settings, command, stop
        self._base = environment.base_environment(
            structured=settings.structured_logging,
            credentials=not settings.no_worker_credentials,
        )
        self._running: dict[Lease, anyio.CancelScope] = {}
        self._released = anyio.Event()
        self._graces: set[anyio.CancelScope] = set()

    def __len__(self) -> int:
        return len(self._running)

    def release_all(self) -> None:
        """Ends all that run, SIGTERM first; they are `released`, whatever their exit code."""
        self._released.set()
        for grace in self._graces:
            grace.deadline = min(grace.deadline, anyio.current_time() + LAST_GRACE_S)
        for scope in self._running.values():
            scope.cancel()

    def lost(self, lease: Lease) -> None:
        """Ends the job of a lost lease, if that was asked for."""
        if self._settings.on_lost_lease == "kill" and lease in self._running:
            self._running[lease].cancel()

    async def run(
        self, lease: Lease, number: int, scratch: str, held: Callable[[], bool]
    ) -> Report:
        """Runs the command for the message of `lease`, as worker `number`, if that is `held`.

        Raises `OSError` when the machine cannot start a process now, which is no fault of the
        message.
        """
        if self._released.is_set():
            return not_run(lease.message, RELEASED, LEAVING, envelope=self._settings.envelope)
        message, content = lease.message, open_envelope(lease.message, self._settings.envelope)
        output = Output(message.id, structured=self._settings.structured_logging)
        limit_s = self._limit_s(lease)
        place = Place(worker=number, scratch=scratch, deadline=time.time() + limit_s)
        ending, reason, left = None, None, None
        began = time.monotonic()
        with anyio.CancelScope(deadline=anyio.current_time() + limit_s) as scope:
            self._running[lease] = scope
            try:
                ending, left = await self._execute(lease, content, place, output, held)
            except SpawnError as error:
                if error.machines_fault:
                    raise OSError(error.number, str(error)) from error
                reason = f"cannot start: {error}"
            finally:
                del self._running[lease]
        duration_s = time.monotonic() - began
        await _finish(output)
        metrics.worker_duration.observe(duration_s)
        outcome = FAILED if ending is None else outcome_of(ending.exit_code)
        told = self._told_to_end(lease, limit_s) if scope.cancelled_caught else (outcome, reason)
        outcome, reason = told if left is None else (LEFT, left)
        return Report(
            message=message,
            content=content,
            outcome=outcome,
            ending=ending,
            reason=reason,
            duration_s=duration_s,
            tail=output.tail,
        )

    def _told_to_end(self, lease: Lease, limit_s: float) -> tuple[Outcome, str]:
        # Whatever its exit code: 0 would only say that it obeyed, not that it is done.
        if lease.lost:
            return RELEASED, "killed"
        if self._released.is_set():
            return RELEASED, LEAVING
        return TIMED_OUT, f"ran over {limit_s:g} s"

    async def _execute(
        self, lease: Lease, content: Content, place: Place, output: Output, held: Callable[[], bool]
    ) -> tuple[Ending | None, str | None]:
        variables = environment.worker_environment(self._base, lease.message, content, place)
        care = _Care(lease, self._grace, self._released)
        no_stdin = self._settings.no_stdin
        start = Start(
            command=self._command,
            environment=variables,
            stdin=None if no_stdin else environment.message_bytes(content),
            mark=b"WATCHBOT_SCRATCH=" + variables[b"WATCHBOT_SCRATCH"],
        )
        for moved in _ways(variables, content, place.scratch, always=no_stdin):
            try:
                return await _to_its_end(replace(start, environment=moved), output, care, held)
            except SpawnError as error:
                if not error.too_big:
                    raise
                too_big = error
        raise too_big

    def _limit_s(self, lease: Lease) -> float:
        most_s = max(lease.left_s - self._settings.kill_grace - RETURN_MARGIN_S, 1.0)
        return min(self._settings.max_job_duration or most_s, most_s)

    async def _grace(self) -> None:
        grace_s = self._settings.kill_grace
        with anyio.CancelScope() as grace:
            most_s = min(grace_s, LAST_GRACE_S) if self._released.is_set() else grace_s
            grace.deadline = anyio.current_time() + most_s
            self._graces.add(grace)
            try:
                await self._stop.forced.wait()
            finally:
                self._graces.remove(grace)


class _Care:
    """What one worker is granted, and what is logged of it."""

    remind_s = REMIND_S

    def __init__(
        self, lease: Lease, grace: Callable[[], Awaitable[None]], released: anyio.Event
    ) -> None:
        self._lease, self._grace, self._released = lease, grace, released

    async def grace(self) -> None:
        await self._grace()

    async def patience(self) -> None:
        """Until all are released, or the lease's twelve hours are over."""
        while self._lease.left_s > 0 and not self._released.is_set():
            # The clock of leases runs while the machine sleeps, and that of the loop does not.
            with anyio.move_on_after(min(self._lease.left_s, self.remind_s)):
                await self._released.wait()

    def still_runs(self, processes: Sequence[int], reason: str) -> None:
        self._log(log.error, "worker cannot be ended", pid=_some(processes), reason=reason)

    def killed(self, processes: Mapping[int, str]) -> None:
        names = sorted(set(processes.values()))
        facts = {"count": len(processes), "pid": _some(list(processes)), "command": _some(names)}
        self._log(log.warning, "killed what the worker left running", **facts)

    def _log(self, write: Callable[..., None], phrase: str, **facts: object) -> None:
        write(phrase, extra={"message_id": self._lease.message.id, **facts})


def _ways(
    variables: Mapping[bytes, bytes], content: Content, scratch: str, *, always: bool
) -> Iterator[Mapping[bytes, bytes]]:
    """The variables, with more and more of the message in files: all together may be too long.

    `always`: there is a file of the message in any case.
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


async def _to_its_end(
    start: Start, output: Output, care: _Care, held: Callable[[], bool]
) -> tuple[Ending | None, str | None]:
    """How it ended; and what is said where it did not, and its message is not done."""
    try:
        return await process.run(start, output, care, held), None
    except StillRunning as still:
        if still.ending is not None and outcome_of(still.ending.exit_code).removes:
            return still.ending, None
        return still.ending, f"{still}: left to its visibility timeout"


def _some(items: Sequence[object]) -> str:
    return ",".join(map(str, items[:NAMED])) + (",..." if len(items) > NAMED else "")


async def _finish(output: Output) -> None:
    try:
        await output.finish()
    except Exception:  # a log that fails changes no outcome
        log.exception("output lost")
