"""Receives, runs and settles messages: the heart of `watchbot listen`. Start reading here.

The way of a message: The consumer receives it and renews its lease from then on. The message waits
in its lane until it may run. The runner runs the command and gives a verdict. The settler decides
what becomes of the message, and the observers hear the report. The settler deletes the message or
changes its visibility. The watcher frees the slot.
"""

import heapq
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.lifecycle import Stop
from watchbot.listen.breaker import Breaker
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.lanes import Batch, Lane, Lanes
from watchbot.listen.machine import Machine
from watchbot.listen.observers import Observer, Observers
from watchbot.listen.protection import Protection
from watchbot.listen.report import Report, Verdict, reported
from watchbot.listen.runner import Job, Runner
from watchbot.listen.running import WENT_BACK, Running
from watchbot.listen.settling import Settler
from watchbot.outcome import LEAVING, LEFT, RELEASED, RETURNED, Fate, Outcome
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.consumer import Consumer, terms
from watchbot.sqs.evidence import original
from watchbot.sqs.lease import Lease
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue
from watchbot.sqs.valve import Valve

TWICE = "it was in hand twice, and went back"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that a watcher joins. `observers` hear each report in the order of this sequence.

    `valve.world` has the clocks.
    """

    queue: Queue
    runner: Runner
    machine: Machine
    valve: Valve
    breaker: Breaker
    observers: Sequence[Observer]
    dead_letters: DeadLetters | None = None
    protection: Protection | None = None


class Watcher:
    """Runs the command for the messages of a queue, up to `batch_size` of them in one run."""

    def __init__(self, settings: WatcherSettings, parts: Parts, *, batch_size: int = 1) -> None:
        self._settings, self._runner, self._machine = settings, parts.runner, parts.machine
        self._breaker, self._protection = parts.breaker, parts.protection
        self._observers = Observers(parts.observers)
        self._lane = Lane(fifo=parts.queue.fifo)
        self._lanes = Lanes([self._lane], size=batch_size)
        self._consumer = Consumer(
            parts.queue,
            self,
            terms(settings, settings.slots * batch_size, once=settings.writable_filesystem),
            valve=parts.valve,
            room=parts.machine.reserve,
        )
        self._leases = self._consumer.leases
        self._settler = Settler(self._leases, parts.valve, parts.dead_letters, settings)
        self._running = Running(
            settings, parts.runner, parts.machine, self._consumer, self._settler.done
        )
        self._slots = list(range(settings.slots))  # a heap: the lowest free slot comes first
        self._in_hand = 0
        self._workers: TaskGroup
        metrics.limit.set(settings.slots)

    def unhealthy(self) -> str | None:
        """The reason why only a restart can help, or None. An unreachable queue is no reason."""
        return self._consumer.unhealthy()

    def unready(self) -> str | None:
        """The reason why the watcher takes no message now, or None."""
        if self._consumer.draining:
            return "draining"
        unfit = self._leases.denials.trouble or self._machine.reserve.trouble
        return self._breaker.trouble or unfit or self._consumer.trouble

    @property
    def left_s(self) -> float:
        """Seconds until the container ends; infinity until somebody stops the watcher."""
        return self._consumer.left_s

    async def run(self, stop: Stop) -> None:
        """Receives, runs and settles until `stop`; returns when no message is in hand any more.

        Raises `AwsError`, in an exception group, when AWS refuses receives for good.
        """
        log.info("started", extra={"concurrency": len(self._slots)})
        try:
            await self._consumer.run(stop)
        finally:
            self._machine.reserve.close()
            if self._protection is not None:
                self._protection.hurry(self.left_s)

    # The consumer calls the following methods: see `watchbot.sqs.consumer.Work`.

    def begin(self, workers: TaskGroup) -> None:
        self._workers = workers

    def deliver(self, messages: list[Message]) -> None:
        self._in_hand += len(messages)
        if self._protection is not None:
            self._protection.busy()
        for message in messages:
            lease = self._leases.take(original(message))  # `watchbot dead-letter` adds attributes
            metrics.receives.observe(message.receives)
            self._settler.came(lease.message.id)
            self._lane.add(lease)
        self._start()

    def is_done(self) -> bool:
        return self._settler.none_awaited()

    def lost(self, lease: Lease) -> None:
        if self._settings.on_lost_lease == "kill":
            self._runner.kill(lease.message)

    def drain(self) -> None:
        log.info("draining", extra={"running": len(self._runner)})

    def received(self) -> None:
        pass  # messages that wait in the lanes are released as the runs before them end

    def let_go(self) -> None:
        self._runner.release_all()

    def _start(self) -> None:
        """Starts runs while slots are free and messages may run."""
        while self._slots and (batch := self._lanes.take()):
            self._workers.start_soon(self._work, batch, heapq.heappop(self._slots))

    async def _work(self, batch: Batch, slot: int) -> None:
        """Brings the messages of a batch to their end, and frees their slots."""
        jobs: list[Job] = []
        try:
            jobs += map(self._running.job, batch.leases)
            verdicts = await self._running.verdicts(batch, jobs, slot)
            await self._end(batch, jobs, verdicts)
            await self._running.clear(slot)
        except Exception:  # a bug of watchbot with one batch must not stop the others
            ids = ",".join(lease.message.id for lease in batch.leases)
            log.exception("message given up", extra={"message_id": ids})
            for lease in batch.leases:
                self._leases.leave(lease)
        finally:
            for job in jobs:
                job.leave_seat()
            heapq.heappush(self._slots, slot)
            batch.lane.done(batch.leases)
            self._leave(len(batch.leases))
            self._start()

    async def _end(self, batch: Batch, jobs: Sequence[Job], verdicts: Sequence[Verdict]) -> None:
        """Decides on each message, tells the observers, and settles; a FIFO batch in order."""
        ends: list[tuple[Lease, Report]] = []
        waiting = deque(zip(batch.leases, jobs, verdicts, strict=True))
        try:
            while waiting:
                lease, job, verdict = waiting.popleft()
                if ends and batch.lane.fifo and not ends[-1][1].outcome.removes:
                    # Keeps the order: nothing behind a returned message is settled, done or not.
                    verdict = replace(verdict, outcome=RELEASED, reason=WENT_BACK)
                report = await self._decide(lease, reported(job.message, job.content, verdict))
                self._return_rest(batch.lane, lease, report)
                ends.append((lease, report))
        finally:  # the end of the drain cuts the sending of a dead letter short
            for _, job, verdict in waiting:
                left = replace(verdict, outcome=LEFT, reason=LEAVING)
                self._observers.observe(reported(job.message, job.content, left))
        if len(ends) == 1:
            await self._settler.settle(*ends[0])
            return
        async with anyio.create_task_group() as settling:
            for end in ends:
                settling.start_soon(self._settler.settle, *end)

    async def _decide(self, lease: Lease, report: Report) -> Report:
        try:
            report = await self._settler.decide(lease, report)
        finally:  # also if the end of the drain cuts that short: the run has ended
            self._observers.observe(report)
        return report

    def _return_rest(self, lane: Lane, lease: Lease, report: Report) -> None:
        """Returns the messages that wait behind a message that itself goes back.

        On a FIFO queue these are the later messages of its group. On a standard queue these are its
        twins, which stay invisible as long as the message.
        """
        waits = report.pause_s > 0 or report.outcome.fate is Fate.RETURN
        if report.outcome.removes or not (lane.fifo or waits):
            return
        outcome, reason = (RELEASED, WENT_BACK) if lane.fifo else (RETURNED, TWICE)
        for later in lane.take_rest(lease):
            is_twin = later.message.id == report.message.id
            self._workers.start_soon(
                self._give_back, later, outcome, reason, report.pause_s if is_twin else 0
            )

    async def _give_back(self, lease: Lease, outcome: Outcome, reason: str, pause_s: int) -> None:
        job = self._running.job(lease)
        try:
            verdict = Verdict(outcome=outcome, reason=reason)
            report = reported(job.message, job.content, verdict)
            report = await self._decide(lease, replace(report, pause_s=pause_s))
            await self._settler.settle(lease, report)
        finally:
            job.leave_seat()
            self._leave(1)

    def _leave(self, count: int) -> None:
        self._in_hand -= count
        if not self._in_hand:
            self._settler.idle()
            if self._protection is not None:
                self._protection.idle()
        self._consumer.give_back(count)
