"""Keeps checkpoints: stores what a run asks to store, and gives it to the next run of the message.

A checkpoint goes by the message's first id, which replays carry. A store that does not answer costs
a run its checkpoint, and nothing else.
"""

import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.checkpoints.opening import open_store
from watchbot.checkpoints.store import KEPT_S, Checkpoint, CheckpointStore
from watchbot.errors import AwsError, DatabaseError
from watchbot.listen.control.wire import Ungranted
from watchbot.listen.report import Report, Verdict
from watchbot.listen.runner import Job, Runner
from watchbot.outcome import Fate
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.message import Message, about
from watchbot.world import REAL, World

LOAD_S = 5.0  # a run waits no longer for its checkpoint
SAVE_S = 20.0  # a request to store one takes no longer
LEAVE_S = 1.0  # for what is not deleted yet when the watcher leaves: it expires
RENEW_S = 24 * 3600  # a checkpoint that was stored longer ago is kept anew

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class CheckpointKeeper:
    """A `Runner` that gives runs of another one their checkpoints; and an observer.

    `folder` is a directory for the files that runs get. A checkpoint is deleted once its message
    is: the watcher calls `clear` after that. That is done in `background`, and waits for what is
    being stored still: a worker may end before its request is answered.
    """

    def __init__(
        self,
        runner: Runner,
        store: CheckpointStore,
        folder: str,
        background: TaskGroup,
        world: World = REAL,
    ) -> None:
        self._runner, self._store, self._folder = runner, store, folder
        self._background, self._world = background, world
        self._numbers = count(1)
        self._had: dict[str, Job] = {}  # messages that may have a checkpoint, by receipt
        self._ended: dict[int, list[Job]] = {}  # by slot: the messages of the run before
        self._fates: dict[str, Fate] = {}  # of messages that are settled soon, by receipt
        self._unsettled: set[str] = set()  # receipts from the start of a run until `clear`
        self._saving: Counter[str] = Counter()  # requests under way, by receipt

    def __len__(self) -> int:
        return len(self._runner)

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        await self._hand_out(batch)
        self._unsettled.update(job.message.receipt for job in batch)
        try:
            return await self._runner.run(batch, slot)
        finally:
            self._ended[slot] = list(batch)
            for job in batch:
                if job.asks.resume is not None:
                    _remove(job.asks.resume)

    async def clear(self, slot: int) -> None:
        await self._runner.clear(slot)
        for job in self._ended.pop(slot, ()):
            self._unsettled.discard(job.message.receipt)
            self._conclude(job)

    def kill(self, message: Message) -> None:
        self._runner.kill(message)

    def release_all(self) -> None:
        self._runner.release_all()

    def observe(self, report: Report) -> None:
        """Notes what becomes of a message whose run has ended."""
        if report.message.receipt in self._unsettled:
            self._fates[report.message.receipt] = report.outcome.fate

    async def save(self, job: Job, content: bytes) -> None:
        """Stores a checkpoint of a message in hand. Raises `Ungranted`."""
        receipt = job.message.receipt
        if receipt not in self._unsettled:
            raise Ungranted("the run of this message has ended")
        self._saving[receipt] += 1
        try:
            self._had[receipt] = job  # also where no answer comes: it may be stored
            await self._save(job, content)
            job.asks.stored += 1
        finally:
            self._saving[receipt] -= 1
            self._conclude(job)

    async def _save(self, job: Job, content: bytes) -> None:
        expires = self._expires()
        stored = await self._try(
            "saved",
            job,
            lambda name: self._store.save(name, content, _order(job.message), expires),
            SAVE_S,
        )
        if stored is None:
            raise Ungranted("the store of checkpoints does not take it now")
        if not stored:
            raise Ungranted("a later run of this message has stored a checkpoint")

    def _conclude(self, job: Job) -> None:
        """Does with a checkpoint what its message's fate says, once no request can change it."""
        receipt = job.message.receipt
        if receipt in self._unsettled or self._saving[receipt]:
            return
        del self._saving[receipt]
        fate = self._fates.pop(receipt, None)
        if self._had.pop(receipt, None) is None:
            return
        match fate:
            case Fate.DELETE:
                self._later("deleted", job, self._store.delete)
            case Fate.BURY:
                self._later("kept", job, self._keep)

    async def _hand_out(self, batch: Sequence[Job]) -> None:
        limit = anyio.CapacityLimiter(10)

        async def one(job: Job) -> None:
            async with limit:
                await self._load(job)

        # What was never handed out before, and is no replay, has no checkpoint.
        waited_for = [job for job in batch if job.message.receives > 1 or job.message.replay_of]
        async with anyio.create_task_group() as loading:
            for job in waited_for:
                loading.start_soon(one, job)

    async def _load(self, job: Job) -> None:
        self._had[job.message.receipt] = job  # until the store says that there is none
        found = await self._try("loaded", job, partial(self._found, job), LOAD_S)
        if found is None:
            return
        if found.expires < self._expires() - RENEW_S:
            self._later("kept", job, self._keep)
        path = f"{self._folder}/checkpoint-{next(self._numbers)}"
        try:
            _write(path, found.content)
        except OSError as error:
            _remove(path)
            _note("loaded", job, str(error))
            return
        job.asks.resume = path

    async def _found(self, job: Job, name: str) -> Checkpoint | None:
        found = await self._store.load(name)
        if found is not None and found.expires > self._world.wall():
            return found
        del self._had[job.message.receipt]
        return None

    async def _keep(self, name: str) -> None:
        await self._store.keep(name, self._expires())

    def _expires(self) -> int:
        return int(self._world.wall()) + KEPT_S

    def _later(self, done: str, job: Job, act: Callable[[str], Awaitable[None]]) -> None:
        self._background.start_soon(self._try, done, job, act, SAVE_S)

    async def _try(
        self, done: str, job: Job, act: Callable[[str], Awaitable[Result]], within_s: float
    ) -> Result | None:
        """What `act` returns for the message; None, and a line of the log, where it fails."""
        try:
            with anyio.fail_after(within_s):
                result = await act(job.message.first_id)
        except Exception as error:  # whatever a store raises, the run goes on
            _note(done, job, str(error) or f"no answer in {within_s:g} s")
            return None
        if done != "loaded" or result is not None:
            metrics.checkpoints.labels(done, "refused" if result is False else "ok").inc()
        return result


@asynccontextmanager
async def open_keeper(
    runner: Runner, settings: ListenSettings, url: str, folder: str
) -> AsyncIterator[CheckpointKeeper]:
    """Opens the store at `url`. On leaving, deletes are awaited for a second at most.

    Raises `AwsError` where AWS refuses for good, and the errors of `open_store`.
    """
    table = url.partition("://")[2]  # its ARN names a region; else it is in that of the queue
    aws = settings.aws.in_region_of(table).in_region_of(settings.queues[0].url)
    async with open_store(url, aws) as store, anyio.create_task_group() as background:
        try:
            await store.load("start")
        except (AwsError, DatabaseError, OSError) as error:
            if isinstance(error, AwsError) and not error.transient:
                raise
            log.warning("checkpoints cannot be read", extra={"reason": str(error)})
        yield CheckpointKeeper(runner, store, folder, background)
        background.cancel_scope.deadline = anyio.current_time() + LEAVE_S


def _order(message: Message) -> str:
    """A text that is greater for each later delivery, also of a replay: that was sent later."""
    return f"{message.sent_ms or 0:015d}-{message.receives:06d}"


def _note(done: str, job: Job, reason: str) -> None:
    metrics.checkpoints.labels(done, "failed").inc()
    facts = {**about(job.message), "reason": reason}
    log.warning("checkpoint not %s", done, extra=facts)


def _write(path: str, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:  # its worker has removed it
        return
    except OSError as error:
        log.warning("file not deleted", extra={"path": path, "reason": error.strerror})
