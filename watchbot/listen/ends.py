"""How long each run gets, and what ends it before: its deadline, a lost lease, the drain's end.

A runner puts each of its runs under a limit here, and asks afterwards why it was told to end.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import anyio

from watchbot.lifecycle import Stop
from watchbot.listen.runner import Job
from watchbot.listen.usage import Usage
from watchbot.outcome import LEAVING, RELEASED, TIMED_OUT, Outcome
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.message import Message

RETURN_MARGIN_S = 5  # time to return a message before its twelve hours are over
REMIND_S = 60.0  # between two log lines about a worker that cannot be ended
NAMED = 10  # the most processes that a log line names
EARLY = f"{LEAVING}, and it could not end in time"
LAST_GRACE_S = 2  # from SIGTERM to SIGKILL after the drain: the container ends soon

log = logging.getLogger(__name__)


class Limit:
    """A run of the messages `jobs` under way.

    `killed` is set when the run is ended because its lease is lost, `early` when it is ended
    because the watcher leaves before it could end by itself.
    """

    def __init__(self, scope: anyio.CancelScope, seconds: float, jobs: Sequence[Job]) -> None:
        self.scope, self.seconds, self.jobs = scope, seconds, jobs
        self.began = anyio.current_time()
        self.killed = self.early = False

    @property
    def ended(self) -> bool:
        """Whether the run was told to end."""
        return self.scope.cancelled_caught


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A process at work. `jobs` returns its messages that have no verdict yet.

    `limit` returns that of its run; None between two runs. `many`: the process has more than one
    message in its life.
    """

    jobs: Callable[[], Sequence[Job]]
    limit: Callable[[], Limit | None]
    many: bool


class Ends:
    """The runs of a runner that are under way, and when each has to end.

    `at_work` has the processes of these runs, by the number of their session. At `drained_at`, in
    seconds of the event loop, the drain is over.
    """

    def __init__(self, settings: WatcherSettings, stop: Stop) -> None:
        self._settings, self._stop = settings, stop
        self._limits: dict[str, Limit] = {}  # by receipt: a message may be in hand twice
        self._runs = 0
        self.at_work: dict[int, AtWork] = {}
        self.drained_at = math.inf
        self.released = anyio.Event()
        self._graces: dict[anyio.CancelScope, None] = {}

    def __len__(self) -> int:
        return self._runs

    @contextmanager
    def limited(self, batch: Sequence[Job]) -> Iterator[Limit]:
        """Cancels what is in it at the batch's deadline, or when it is told to end before."""
        limit_s = self._limit_s(batch)
        with anyio.CancelScope(deadline=anyio.current_time() + limit_s) as scope:
            limit = Limit(scope, limit_s, batch)
            receipts = [job.message.receipt for job in batch]
            self._limits.update(dict.fromkeys(receipts, limit))
            self._runs += 1
            try:
                yield limit
            finally:
                self._runs -= 1
                for receipt in receipts:
                    del self._limits[receipt]

    @contextmanager
    def working(self, process: int, at_work: AtWork) -> Iterator[None]:
        """Has `process`, which leads a session, in `at_work` while open."""
        self.at_work[process] = at_work
        try:
            yield
        finally:
            del self.at_work[process]

    def under_way(self) -> list[Limit]:
        """The runs that were not told to end, in the order of their starts."""
        runs = dict.fromkeys(self._limits.values())  # a batch has one limit for all its messages
        return [each for each in runs if not each.scope.cancel_called]

    def end_early(self, limit: Limit) -> None:
        """Ends a run, SIGTERM first. SIGKILL follows at the end of the drain."""
        limit.early = True
        limit.scope.cancel()

    def left_s(self, limit: Limit | None) -> float:
        """Seconds until a run is told to end, or killed if it was told early; else 0."""
        if limit is None or (limit.scope.cancel_called and not limit.early):
            return 0.0
        ends_at = math.inf if limit.early else limit.scope.deadline
        return max(0.0, min(ends_at, self.drained_at) - anyio.current_time())

    def extend(self, limit: Limit, batch: Sequence[Job], seconds: float) -> None:
        """Moves the deadline of a run, as far as the leases of its messages allow."""
        latest = anyio.current_time() + self._most_s(batch)
        moved = min(limit.scope.deadline + seconds, max(latest, limit.scope.deadline))
        limit.scope.deadline, limit.seconds = moved, moved - limit.began

    def told(self, limit: Limit) -> tuple[Outcome, str]:
        """What becomes of the messages of a run that was told to end, and why it was."""
        # The exit code does not count: 0 after a SIGTERM says that the worker ended, not its work.
        if limit.killed:
            return RELEASED, "killed"
        if limit.early:
            return RELEASED, EARLY
        if self.released.is_set():
            return RELEASED, LEAVING
        return TIMED_OUT, f"ran over {limit.seconds:g} s"

    def kill(self, message: Message) -> None:
        """Ends the run of this message, if it runs: its lease is lost."""
        if limit := self._limits.get(message.receipt):
            limit.killed = True
            limit.scope.cancel()

    def release_all(self) -> None:
        """Ends all runs, SIGTERM first."""
        self.released.set()
        for grace in self._graces:
            grace.deadline = min(grace.deadline, anyio.current_time() + LAST_GRACE_S)
        for limit in self._limits.values():
            limit.scope.cancel()

    async def grace(self, *, early: bool = False) -> None:
        """Returns when what was told to end has had its time; `early`: all of the drain."""
        grace_s = math.inf if early else self._settings.kill_grace
        with anyio.CancelScope() as grace:
            most_s = min(grace_s, LAST_GRACE_S) if self.released.is_set() else grace_s
            grace.deadline = anyio.current_time() + most_s
            self._graces[grace] = None
            try:
                await self._stop.forced.wait()
            finally:
                del self._graces[grace]

    def _limit_s(self, batch: Sequence[Job]) -> float:
        most_s = self._most_s(batch)
        return min(self._settings.max_job_duration or most_s, most_s)

    def _most_s(self, batch: Sequence[Job]) -> float:
        """The seconds from now in which the messages can still be returned after a run."""
        left_s = min(job.left_s() for job in batch)
        return max(left_s - self._settings.kill_grace - RETURN_MARGIN_S, 1.0)


class RunCare:
    """Decides how long one process gets to end, and logs processes that do not end.

    `left_s` returns in how many seconds SQS ends the leases of its messages for good. `facts` name
    the process in the log. `usage` is what the process has used, once it has ended.
    """

    remind_s = REMIND_S

    def __init__(
        self,
        ends: Ends,
        left_s: Callable[[], float],
        facts: Callable[[], Mapping[str, object]],
    ) -> None:
        self._ends, self._left_s, self._facts = ends, left_s, facts
        self.limit: Limit | None = None  # of the run that the process is at
        self.usage = Usage()

    async def grace(self) -> None:
        await self._ends.grace(early=self.limit is not None and self.limit.early)

    async def patience(self) -> None:
        """Returns when all messages are released, or when the lease's twelve hours are over."""
        released = self._ends.released
        while (left_s := self._left_s()) > 0 and not released.is_set():
            # The leases' clock runs while the machine sleeps, but the event loop's clock does not.
            with anyio.move_on_after(min(left_s, self.remind_s)):
                await released.wait()

    def still_runs(self, processes: Sequence[int], reason: str) -> None:
        self._log(log.error, "worker cannot be ended", pid=_some(processes), reason=reason)

    def killed(self, processes: Mapping[int, str]) -> None:
        names = sorted(set(processes.values()))
        facts = {"count": len(processes), "pid": _some(list(processes)), "command": _some(names)}
        self._log(log.warning, "killed what the worker left running", **facts)

    def used(self, usage: Usage) -> None:
        self.usage = usage

    def _log(self, write: Callable[..., None], phrase: str, **facts: object) -> None:
        write(phrase, extra={**self._facts(), **facts})


def _some(items: Sequence[object]) -> str:
    return ",".join(map(str, items[:NAMED])) + (",..." if len(items) > NAMED else "")
