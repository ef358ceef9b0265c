"""Keeps failures in a store, in the background: no run waits for it."""

import logging
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

import anyio

from watchbot.aws import retry_pause
from watchbot.errors import DataRefused, WatchbotError, first_expected
from watchbot.failures.store import KEPT, FailureStore, KeptFailure
from watchbot.listen.report import Report
from watchbot.moment import to_text
from watchbot.world import REAL, World

MOST_WAITING = 5_000  # failures while the store is away; the oldest are dropped
BATCH = 100
GATHER_S = 0.5
FORGET_EVERY_S = 3_600
CLOSE_S = 4  # for the last failures, once no more come
TAIL_BYTES = 4_096

log = logging.getLogger(__name__)


class FailureKeeper:
    """An observer that keeps failures; `run` writes them.

    `container` are the facts by which a person finds this container. Without `output` no text that
    a worker printed is kept.
    """

    def __init__(
        self,
        store: FailureStore,
        container: Mapping[str, str],
        *,
        output: bool = True,
        world: World = REAL,
    ) -> None:
        self._store, self._world, self._output = store, world, output
        self._container = container.get("Task") or container.get("Container", "")
        self._log = container.get("Log stream", "")
        self._waiting: deque[KeptFailure] = deque()
        self._news = anyio.Event()
        self._closing = False
        self._empty = anyio.Event()
        self._dropped = 0
        self._most = BATCH  # less after a batch with a failure that the store refuses

    def observe(self, report: Report) -> None:
        """Takes in the report if it is a failure."""
        if not report.outcome.notify:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(self._failure(report))
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many failures wait to be written."""
        return len(self._waiting)

    async def run(self) -> None:
        """Writes failures until `close`; tries again while the store is away."""
        refused = 0
        forgotten_at = -float(FORGET_EVERY_S)
        while not (self._closing and not self._waiting):
            await self._some()
            if self._world.now() - forgotten_at >= FORGET_EVERY_S:
                forgotten_at = self._world.now()
                await self._forget()
            if not self._waiting:
                continue
            if await self._write():
                refused = 0
            else:
                refused += 1
                await anyio.sleep(retry_pause(refused, chance=self._world.chance))
        self._empty.set()

    async def close(self) -> None:
        """Waits for the last failures, four seconds at most."""
        self._closing = True
        self._news.set()
        with anyio.move_on_after(CLOSE_S):
            await self._empty.wait()
        if lost := len(self._waiting) + self._dropped:
            log.warning("failures not kept", extra={"count": lost})

    async def _some(self) -> None:
        while not (self._waiting or self._closing):
            self._news = anyio.Event()
            await self._news.wait()
        if not self._closing and len(self._waiting) < BATCH:
            await anyio.sleep(GATHER_S)  # one write for what fails together

    async def _write(self) -> bool:
        """Writes a batch; False if the store is away.

        Halves a batch that the store refuses until one failure is left, and drops that.
        """
        batch = [self._waiting[index] for index in range(min(self._most, len(self._waiting)))]
        refusal: WatchbotError | None = None
        try:
            await self._store.add(batch)
        except* WatchbotError as errors:
            refusal = first_expected(errors)
        if isinstance(refusal, DataRefused) and len(batch) > 1:
            self._most = len(batch) // 2
            return True
        if isinstance(refusal, DataRefused):
            log.warning("failure not kept", extra={"reason": str(refusal)})
        elif refusal:
            log.warning("failures not kept yet", extra={"reason": str(refusal)})
            return False
        self._most = min(2 * self._most, BATCH)
        for _ in batch:
            self._waiting.popleft()
        return True

    async def _forget(self) -> None:
        try:
            await self._store.forget(datetime.fromtimestamp(self._world.wall(), UTC) - KEPT)
        except* WatchbotError as errors:
            log.warning("old failures not deleted", extra={"reason": str(first_expected(errors))})

    def _failure(self, report: Report) -> KeptFailure:
        usage = report.run.usage if report.run else None
        return KeptFailure(
            at=to_text(datetime.fromtimestamp(self._world.wall(), UTC)),
            fingerprint=report.fingerprint,
            how=report.how,
            outcome=report.outcome.name,
            queue=report.message.queue,
            message_id=report.message.id,
            receives=report.message.receives,
            duration_s=round(report.duration_s, 3),
            memory_bytes=usage.memory_bytes if usage else None,
            container=self._container,
            log=self._log,
            tail=_end(report.tail) if self._output else "",
        )


def _end(tail: str) -> str:
    return tail.encode(errors="replace")[-TAIL_BYTES:].decode(errors="ignore")
