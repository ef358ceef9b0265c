"""Gets a verdict for each message of a batch, by a run or without a run."""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from watchbot import metrics
from watchbot.listen.closing import WENT_BACK
from watchbot.listen.control.asks import Asks
from watchbot.listen.fetching import Bodies
from watchbot.listen.lanes import Batch
from watchbot.listen.lines import log_start
from watchbot.listen.machine import Machine
from watchbot.listen.report import Run, Verdict
from watchbot.listen.runner import Job, Runner
from watchbot.listen.settling import Settler
from watchbot.outcome import COMPLETED, FAILED, LEAVING, RELEASED
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.consumer import Consumer
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.lease import Lease

log = logging.getLogger(__name__)


class Running:
    """Runs the command with `runner`, except for messages that must not run now or are done."""

    def __init__(
        self,
        settings: WatcherSettings,
        runner: Runner,
        machine: Machine,
        consumer: Consumer,
        settler: Settler,
    ) -> None:
        self._settings, self._runner, self._machine = settings, runner, machine
        self._consumer = consumer
        self._done, self._payloads = settler.done, settler.payloads
        self._leases = {source.name: source.leases for source in consumer.sources}

    def job(self, lease: Lease, tell: Callable[[Verdict], None], behind: Callable[[], bool]) -> Job:
        """The message of a lease as a runner sees it.

        `behind` returns whether one that it must not overtake is not done.
        """
        asks = Asks()

        def withheld() -> str | None:
            if behind():
                return WENT_BACK
            if not self._leases[lease.message.queue].holds(lease):
                return "not run"
            return LEAVING if self._consumer.leaving.is_set() else None

        return Job(
            message=lease.message,
            content=open_envelope(lease.message, self._settings.envelope),
            withheld=withheld,
            left_s=lambda: lease.left_s,
            leave_seat=self._machine.reserve.seat().leave,
            tell=lambda verdict: tell(asks.amended(verdict)),
            asks=asks,
        )

    async def verdicts(self, batch: Batch, jobs: Sequence[Job], slot: int) -> list[Verdict]:
        """A verdict for each message of the batch, in order. `jobs` has one job for each lease."""
        unrun: list[Verdict | None] = []
        for lease in batch.leases:
            before = unrun[-1] if unrun and batch.lane.fifo else None
            unrun.append(await self._verdict_without_a_run(lease, before))
        if self._consumer.leaving.is_set():  # perhaps since the queue was asked about a lease
            unrun = [verdict or Verdict(outcome=RELEASED, reason=LEAVING) for verdict in unrun]
        if self._payloads is None:
            return await self._run_rest(jobs, unrun, slot)
        bodies = Bodies(list(jobs), unrun)
        try:
            leaving = self._consumer.leaving
            await bodies.fetch(self._payloads, leaving, fifo=batch.lane.fifo)
            return await self._run_rest(bodies.jobs, bodies.unrun, slot)
        finally:
            bodies.remove()

    async def _run_rest(
        self, jobs: Sequence[Job], unrun: Sequence[Verdict | None], slot: int
    ) -> list[Verdict]:
        for job, verdict in zip(jobs, unrun, strict=True):
            if verdict is not None and len(jobs) > 1:
                job.tell(verdict)
        to_run = [job for job, verdict in zip(jobs, unrun, strict=True) if verdict is None]
        verdicts = await self._run(to_run, slot) if to_run else ()
        ran = (job.asks.amended(each) for job, each in zip(to_run, verdicts, strict=True))
        return [verdict or next(ran) for verdict in unrun]

    async def clear(self, slot: int) -> None:
        """Makes the slot ready for the next run. Call it after the messages are settled."""
        await self._runner.clear(slot)

    async def _verdict_without_a_run(self, lease: Lease, before: Verdict | None) -> Verdict | None:
        if before and not before.outcome.removes:
            return Verdict(outcome=RELEASED, reason=WENT_BACK)
        if self._consumer.draining:
            return Verdict(outcome=RELEASED, reason=LEAVING)
        if not await self._leases[lease.message.queue].confirm(lease):
            return Verdict(outcome=RELEASED, reason="not run")
        if lease.message.id in self._done:
            return Verdict(outcome=COMPLETED, reason="was done before")
        return None

    async def _run(self, jobs: Sequence[Job], slot: int) -> Sequence[Verdict]:
        for job in jobs:
            log_start(job.message, bodies=self._settings.log_bodies)
        metrics.batch_size.labels(jobs[0].message.queue).observe(len(jobs))
        metrics.busy.inc()
        try:
            return await self._insist(jobs, slot)
        except OSError as error:
            reason = f"the machine cannot start it: {error.strerror}"
            verdict = Verdict(outcome=RELEASED, reason=reason)
        except Exception:  # a bug of watchbot in one run must not stop the others
            ids = ",".join(job.message.id for job in jobs)
            log.exception("message given up", extra={"message_id": ids})
            verdict = Verdict(outcome=FAILED, reason="a fault of watchbot")
        finally:
            metrics.busy.dec()
        return [verdict] * len(jobs)

    async def _insist(self, jobs: Sequence[Job], slot: int) -> Sequence[Verdict]:
        verdicts = await self._machine.insist(
            partial(self._runner.run, jobs, slot),
            self._consumer.leaving,
            lambda: not all(job.withheld() for job in jobs),
        )
        if len(verdicts) != len(jobs):
            raise ValueError(f"{len(verdicts)} verdicts for {len(jobs)} messages")
        if runs := [verdict.run for verdict in verdicts if verdict.run is not None]:
            _observe(runs[-1], jobs[0].message.queue)
        return verdicts


def _observe(run: Run, queue: str) -> None:
    metrics.worker_duration.labels(queue).observe(run.duration_s)
    if run.usage.cpu_s is not None:
        metrics.worker_cpu.labels(queue).observe(run.usage.cpu_s)
    if run.usage.memory_bytes is not None:
        metrics.worker_memory.labels(queue).observe(run.usage.memory_bytes)
