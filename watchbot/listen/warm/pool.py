"""Keeps processes that are handed batch after batch: starts them, replaces them, ends them."""

import errno
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop, until
from watchbot.listen.ends import LAST_GRACE_S
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.listen.warm.dialogue import Unasked
from watchbot.listen.warm.resident import resident_bytes
from watchbot.listen.warm.shop import Shop
from watchbot.listen.warm.worker import Worker
from watchbot.listen.workspace import Workspace
from watchbot.outcome import FAILED, LEAVING, RELEASED
from watchbot.sqs.message import Message

PROOF_S = 1.0  # a process that ends sooner than this after its start cannot work
LONGEST_PAUSE_S = 60
MOST_SPOILT = 2  # processes in a row that broke the protocol before they were handed a batch
LOOK_EVERY_S = 1.0  # at how much memory a process holds
WONDER_S = 60  # that the first message has no answer: its worker may not know that it is to answer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycling:
    """When a process that works well is replaced all the same; 0: never."""

    after_runs: int = 0
    memory_bytes: int = 0


class WarmRunner:
    """A `Runner` with a pool of processes. Open it with `keeping`, and `start` it.

    A batch gets the process that was last at work. While every process waits for its next start,
    a run raises `OSError`: the machine starts none.
    """

    def __init__(
        self, shop: Shop, workspace: Workspace, size: int, recycling: Recycling, keepers: TaskGroup
    ) -> None:
        self._shop, self._workspace, self._size = shop, workspace, size
        self._recycling, self._keepers = recycling, keepers
        self._idle: list[Worker] = []
        self._lives: dict[int, Worker] = {}  # by number
        self._turned = anyio.Event()  # a process has begun, is idle, or has ended
        self._leaving = anyio.Event()
        self._first: Worker | None = None  # perhaps over already
        self._proven = False
        self._wonders = self._has_answered = False
        self._why = "no worker runs"

    def __len__(self) -> int:
        return len(self._shop.ends)

    async def start(self, stop: Stop) -> None:
        """Starts the first process, and then the others. Returns at once after a stop.

        Raises `UsageError`, in a group, when the first cannot work: it ends within a second of its
        start, says that it cannot, or does not ask for work in time.
        """
        async with until(stop.draining):
            self._keepers.start_soon(self._keep, 0)
            while self._first is None:
                await self._turn()
            await self._prove(self._first)
            self._proven = True
        for number in range(1, self._size):
            self._keepers.start_soon(self._keep, number)

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        for job in batch:
            job.leave_seat()
        spoilt = 0
        while (worker := await self._take()) is not None:
            if not self._wonders:
                self._wonders = True
                self._keepers.start_soon(self._wonder, worker)
            try:
                verdicts = await worker.work(batch)
            except Unasked as bad:
                worker.end("answer", str(bad))
                spoilt += 1
                if spoilt == MOST_SPOILT:
                    return [Verdict(outcome=FAILED, reason=str(bad))] * len(batch)
            except BaseException:
                worker.end("deadline", "its run was given up")
                raise
            else:
                self._has_answered = True
                await self._put_back(worker)
                return verdicts
        return [Verdict(outcome=RELEASED, reason=LEAVING)] * len(batch)

    async def clear(self, slot: int) -> None:
        """Does nothing: what a run left is removed before its process is handed the next."""

    def kill(self, message: Message) -> None:
        self._shop.ends.kill(message)

    def release_all(self) -> None:
        self._leaving.set()
        self._shop.ends.release_all()
        for worker in self._lives.values():
            if not worker.has_messages:  # else the end of its run decides
                self._have_leave(worker)
        self._tell()

    async def close(self) -> None:
        """Ends all processes: by their protocol's word for it, then SIGTERM, then SIGKILL."""
        self.release_all()
        for worker in tuple(self._lives.values()):
            await worker.over.wait()

    def _have_leave(self, worker: Worker) -> None:
        self._keepers.start_soon(worker.leave, "left", LEAVING, LAST_GRACE_S)

    async def _prove(self, first: Worker) -> None:
        with anyio.move_on_after(PROOF_S):
            await first.over.wait()
        await first.known.wait()
        if first.over.is_set():
            said = f"; it said: {first.last_words}" if first.last_words else ""
            if first.ending is not None and first.ending.exit_code == 0:
                said += f"; {self._shop.expects}"
            how = f"{first.how}{said}"
            raise UsageError(f"the worker that was started first cannot stay: {how}")

    async def _wonder(self, worker: Worker) -> None:
        with anyio.move_on_after(WONDER_S):
            await self._leaving.wait()
        if not self._has_answered and not self._leaving.is_set():
            facts = {"worker": worker.number, "reason": self._shop.expects}
            log.warning("no message is answered yet", extra=facts)

    async def _take(self) -> Worker | None:
        """An idle process; None once all are released."""
        while not self._shop.ends.released.is_set():
            if self._idle:
                return self._idle.pop()
            if not self._lives:
                raise OSError(errno.EAGAIN, self._why)
            await self._turn()
        return None

    async def _put_back(self, worker: Worker) -> None:
        if worker.is_leaving:
            return
        if self._leaving.is_set():
            self._have_leave(worker)
            return
        if cause := self._outworn(worker):
            grace_s = self._shop.settings.kill_grace
            self._keepers.start_soon(worker.leave, cause, cause, grace_s)
            return
        await self._workspace.tidy(worker.scratch)
        self._idle.append(worker)
        self._tell()

    def _outworn(self, worker: Worker) -> str | None:
        if self._recycling.after_runs and worker.runs >= self._recycling.after_runs:
            return "recycled"
        most, now = self._recycling.memory_bytes, self._shop.world.now()
        if most and now >= worker.looks_at:
            worker.looks_at = now + LOOK_EVERY_S
            return "memory" if resident_bytes(worker.pid) > most else None
        return None

    async def _keep(self, number: int) -> None:
        """Has one process live after the other, until all leave."""
        stumbles = 0
        while not self._leaving.is_set():
            try:
                stumbles = stumbles + 1 if await self._has_stumbled(number) else 0
            except Exception as error:  # no room for its directory, or a fault of ours
                log.warning("worker not started", extra={"worker": number, "reason": repr(error)})
                stumbles, self._why = stumbles + 1, repr(error)
            if stumbles:
                self._tell()
                with anyio.move_on_after(min(2 ** (stumbles - 1), LONGEST_PAUSE_S)):
                    await self._leaving.wait()

    async def _has_stumbled(self, number: int) -> bool:
        """Whether a process that was started now has ended before it did anything."""
        began = self._shop.world.now()
        async with self._workspace.job() as scratch:
            if self._leaving.is_set():
                return False
            worker = Worker(self._shop, number, scratch, self._workspace.variables(scratch))
            self._lives[number] = worker
            self._first = self._first or worker
            self._tell()
            metrics.warm_workers.inc()
            try:
                async with anyio.create_task_group() as life:
                    life.start_soon(self._offer, worker)
                    await worker.live()
                    life.cancel_scope.cancel()
            finally:
                metrics.warm_workers.dec()
                del self._lives[number]
                if worker in self._idle:
                    self._idle.remove(worker)
        if not self._proven:
            await self._leaving.wait()
        if self._leaving.is_set():
            return False
        self._note(worker)
        early = not worker.runs and self._shop.world.now() - began < PROOF_S
        return worker.cause == "start" or (worker.cause in ("ended", "answer") and early)

    async def _offer(self, worker: Worker) -> None:
        await worker.known.wait()
        if not worker.over.is_set():
            self._idle.append(worker)
            self._tell()

    def _note(self, worker: Worker) -> None:
        self._why = worker.how
        metrics.worker_ends.labels(worker.cause).inc()
        metrics.worker_runs.observe(worker.runs)
        facts = {"worker": worker.number, "reason": worker.how, "runs": worker.runs}
        level = logging.INFO if worker.cause in ("recycled", "memory") else logging.WARNING
        log.log(level, "worker ended, starting another", extra=facts)

    async def _turn(self) -> None:
        await self._turned.wait()

    def _tell(self) -> None:
        turned, self._turned = self._turned, anyio.Event()
        turned.set()


@asynccontextmanager
async def keeping(
    shop: Shop, workspace: Workspace, size: int, recycling: Recycling
) -> AsyncIterator[WarmRunner]:
    """A runner with `size` processes. On leaving, they end."""
    async with anyio.create_task_group() as keepers:
        runner = WarmRunner(shop, workspace, size, recycling, keepers)
        try:
            yield runner
        finally:
            with anyio.CancelScope(shield=True):
                await runner.close()
