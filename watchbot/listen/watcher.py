"""Receives, runs and settles messages: the heart of `watchbot listen`. Start reading here.

The way of a message: The consumer receives it and renews its lease from then on. The message waits
in its lane until it may run. The runner runs the command and gives a verdict. The settler decides
what becomes of the message, and the observers hear the report. The settler deletes the message or
changes its visibility. The watcher frees the slot.
"""

import heapq
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.lifecycle import Stop
from watchbot.listen.breaker import Breaker
from watchbot.listen.closing import WENT_BACK, Closing
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.held import Held
from watchbot.listen.lanes import Batch, Lane, Lanes
from watchbot.listen.machine import Machine
from watchbot.listen.observers import Observer, Observers
from watchbot.listen.protection import Protection
from watchbot.listen.report import Report, Verdict, reported
from watchbot.listen.runner import Job, Runner
from watchbot.listen.running import Running
from watchbot.listen.settling import Settler
from watchbot.outcome import LEAVING, LEFT, RELEASED, RETURNED, Fate, Outcome
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.consumer import Consumer, Terms, Weighted, terms
from watchbot.sqs.evidence import original
from watchbot.sqs.lease import Lease
from watchbot.sqs.message import Message
from watchbot.sqs.payload import Payloads
from watchbot.sqs.rate import Rate
from watchbot.sqs.source import Source
from watchbot.sqs.valve import Valve

TWICE = "it was in hand twice, and went back"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that a watcher joins. `observers` hear each report in the order of this sequence.

    `strict`: the first of `queues` that has messages comes first, whatever the weights.
    `dead_letters` are by the name of their queue. `valve.world` has the clocks.
    """

    queues: Sequence[Weighted]
    strict: bool = False
    runner: Runner
    machine: Machine
    valve: Valve
    breaker: Breaker
    observers: Sequence[Observer]
    dead_letters: Mapping[str, DeadLetters] = field(default_factory=dict)
    protection: Protection | None = None
    payloads: Payloads | None = None


class Watcher:
    """Runs the command for the messages of its queues."""

    def __init__(self, settings: WatcherSettings, parts: Parts) -> None:
        self._settings, self._runner, self._machine = settings, parts.runner, parts.machine
        self._breaker, self._protection = parts.breaker, parts.protection
        self._observers = Observers(parts.observers)
        self._world = parts.valve.world
        self._rate = Rate(settings.runs_per_s, batch=settings.batch_size, world=self._world)
        self._consumer = Consumer(
            parts.queues,
            self,
            _terms(settings, self._rate, strict=parts.strict),
            valve=parts.valve,
            room=parts.machine.reserve,
        )
        self._sources = {source.name: source for source in self._consumer.sources}
        self._lane_of = {
            name: Lane(name, fifo=source.queue.fifo, weight=source.weight, clock=self._world.now)
            for name, source in self._sources.items()
        }
        self._lanes = Lanes(
            list(self._lane_of.values()),
            size=settings.batch_size,
            window_s=settings.batch_window,
            strict=parts.strict,
        )
        self._starts_at = math.inf  # when `_start` is called next, if nothing else happens
        self._received = anyio.Event()  # no message comes after it
        self._settler = Settler(
            self._sources, parts.valve, parts.dead_letters, settings, parts.payloads
        )
        self._running = Running(
            settings, parts.runner, parts.machine, self._consumer, self._settler
        )
        self._slots = list(range(settings.slots))  # a heap: the lowest free slot comes first
        self._in_hand = Held(parts.valve, settings.max_in_hand_bytes)
        self._workers: TaskGroup
        metrics.limit.set(settings.slots)

    def unhealthy(self) -> str | None:
        """The reason why only a restart can help, or None. An unreachable queue is no reason."""
        return self._consumer.unhealthy()

    def unready(self) -> str | None:
        """The reason why the watcher takes no message now, or None."""
        if self._consumer.draining:
            return "draining"
        unfit = self._machine.reserve.trouble
        return self._breaker.trouble or unfit or self._consumer.trouble

    def remark(self) -> str | None:
        """Which queues a watcher that is ready leaves alone, and why; or None."""
        return self._consumer.remark

    @property
    def sources(self) -> Sequence[Source]:
        """The queues, in order; a part that pauses one holds it here."""
        return self._consumer.sources

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

    def deliver(self, source: Source, messages: list[Message]) -> None:
        self._in_hand.add(messages)
        self._rate.came(len(messages))
        if self._protection is not None:
            self._protection.busy()
        for message in messages:
            lease = source.leases.take(original(message))  # `watchbot dead-letter` adds attributes
            metrics.receives.labels(source.name).observe(message.receives)
            self._settler.came(lease.message.id)
            self._lane_of[source.name].add(lease)
        self._start()

    def is_done(self) -> bool:
        return self._settler.none_awaited()

    def lost(self, lease: Lease) -> None:
        if self._settings.on_lost_lease == "kill":
            self._runner.kill(lease.message)

    def drain(self) -> None:
        log.info("draining", extra={"running": len(self._runner)})

    def received(self) -> None:
        # Messages that wait for a run are released as the runs before them end; those that wait for
        # a full batch, now.
        self._lanes.hurry()
        self._received.set()
        self._start()

    def let_go(self) -> None:
        self._runner.release_all()

    def _start(self) -> None:
        """Starts runs while slots are free and messages may run."""
        while self._slots and self._may_run and (batch := self._lanes.take()):
            self._rate.run(len(batch.leases))
            metrics.batch_wait.labels(batch.lane.name).observe(batch.waited_s)
            self._workers.start_soon(self._work, batch, heapq.heappop(self._slots))
        due_in_s = self._lanes.due_in_s
        if due_in_s is not None and self._slots:
            starts_at = self._world.now() + max(due_in_s, self._rate.due_in_s)
            if starts_at < self._starts_at:
                self._starts_at = starts_at
                self._workers.start_soon(self._start_at, starts_at)

    @property
    def _may_run(self) -> bool:
        """Whether the rate allows a run now; what leaves is not run, and so need not wait."""
        return self._rate.due_in_s <= 0 or self._consumer.leaving.is_set()

    async def _start_at(self, moment: float) -> None:
        # No batch waits to be full once no more messages come, and nothing waits to run at the end.
        earlier = self._consumer.leaving if self._received.is_set() else self._received
        with anyio.move_on_after(moment - self._world.now()):
            await earlier.wait()
        if self._starts_at == moment:
            self._starts_at = math.inf
        self._start()

    async def _work(self, batch: Batch, slot: int) -> None:
        """Brings the messages of a batch to their end, and frees their slots."""
        jobs: list[Job] = []

        async def decide(number: int, verdict: Verdict) -> Report:
            return await self._decide(batch.lane, batch.leases[number], jobs[number], verdict)

        async def settle(number: int, report: Report) -> bool:
            return await self._settle(batch.lane, batch.leases[number], report)

        closing = Closing(len(batch.leases), decide, settle, fifo=batch.lane.fifo)
        try:
            for number, lease in enumerate(batch.leases):
                tell = partial(closing.tell, self._workers, number)
                behind = partial(_is_behind, batch, closing, number)
                jobs.append(self._running.job(lease, tell, behind))
            await closing.end(await self._running.verdicts(batch, jobs, slot))
            await self._running.clear(slot)
        except Exception:  # a bug of watchbot with one batch must not stop the others
            ids = ",".join(lease.message.id for lease in batch.leases)
            log.exception("message given up", extra={"message_id": ids})
            for lease in batch.leases:
                self._sources[batch.lane.name].leases.leave(lease)
        finally:
            self._report_undecided(closing, jobs)
            for job in jobs:
                job.leave_seat()
            heapq.heappush(self._slots, slot)
            batch.lane.done(batch.leases)
            self._leave([lease.message for lease in batch.leases])
            self._start()

    def _report_undecided(self, closing: Closing, jobs: Sequence[Job]) -> None:
        """Tells the observers of messages whose decision, or whose run, the drain's end cut short.

        It does that to a run where this process stood still meanwhile.
        """
        undecided = closing.undecided
        why = LEAVING if self._consumer.leaving.is_set() else "a fault of watchbot"
        for number, job in enumerate(jobs):
            if number in undecided:
                left = replace(undecided[number] or Verdict(outcome=LEFT), outcome=LEFT, reason=why)
                self._observers.observe(reported(job.message, job.content, left))

    async def _decide(self, lane: Lane, lease: Lease, job: Job, verdict: Verdict) -> Report:
        """Decides what becomes of a message, and of what waits behind it; tells the observers."""
        report = reported(job.message, job.content, verdict)
        report = await self._tell(lease, report)
        self._return_rest(lane, lease, report)
        return report

    async def _tell(self, lease: Lease, report: Report) -> Report:
        try:
            report = await self._settler.decide(lease, report)
        finally:  # also if the end of the drain cuts that short: the run has ended
            self._observers.observe(report)
        return report

    async def _settle(self, lane: Lane, lease: Lease, report: Report) -> bool:
        is_done = await self._settler.settle(lease, report)
        if not is_done and lane.fifo:  # it comes again, before all that are behind it
            self._give_back_soon(lane.take_rest(lease), RELEASED, WENT_BACK)
        return is_done

    def _return_rest(self, lane: Lane, lease: Lease, report: Report) -> None:
        """Returns the messages that wait behind a message that itself goes back.

        On a FIFO queue these are the later messages of its group. On a standard queue these are its
        twins, which stay invisible as long as the message.
        """
        waits = report.pause_s > 0 or report.outcome.fate is Fate.RETURN
        if report.outcome.removes or not (lane.fifo or waits):
            return
        rest = lane.take_rest(lease)
        twins = [later for later in rest if later.message.id == report.message.id]
        others = [later for later in rest if later.message.id != report.message.id]
        outcome, reason = (RELEASED, WENT_BACK) if lane.fifo else (RETURNED, TWICE)
        self._give_back_soon(twins, outcome, reason, report.pause_s)
        self._give_back_soon(others, outcome, reason)

    def _give_back_soon(
        self, leases: Sequence[Lease], outcome: Outcome, reason: str, pause_s: int = 0
    ) -> None:
        self._rate.left(len(leases))
        for lease in leases:
            self._workers.start_soon(self._give_back, lease, outcome, reason, pause_s)

    async def _give_back(self, lease: Lease, outcome: Outcome, reason: str, pause_s: int) -> None:
        job = self._running.job(lease, lambda _: None, lambda: False)
        try:
            verdict = Verdict(outcome=outcome, reason=reason)
            report = reported(job.message, job.content, verdict)
            report = await self._tell(lease, replace(report, pause_s=pause_s))
            await self._settler.settle(lease, report)
        finally:
            job.leave_seat()
            self._leave([lease.message])

    def _leave(self, messages: Sequence[Message]) -> None:
        self._in_hand.remove(messages)
        if not self._in_hand:
            self._settler.idle()
            if self._protection is not None:
                self._protection.idle()
        self._consumer.give_back(len(messages))


def _is_behind(batch: Batch, closing: Closing, number: int) -> bool:
    """Whether a message may not run, as one before it in its FIFO batch is lost or goes back."""
    if not batch.lane.fifo:
        return False
    return closing.goes_back(number) or any(lease.lost for lease in batch.leases[:number])


def _terms(settings: WatcherSettings, rate: Rate, *, strict: bool) -> Terms:
    return replace(
        terms(settings, settings.slots * settings.batch_size),
        once=settings.writable_filesystem,
        fifo_batch=1 if settings.writable_filesystem else settings.batch_size,
        strict=strict,
        rate=rate,
    )
