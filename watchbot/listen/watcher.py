"""Receive, run, settle: the heart of `watchbot listen`. Start reading here.

A message's way: the intake reserves a slot and receives it; its lease is renewed from then on; the
command runs; the exit code gives the outcome; the outcome settles the message; the slot is free.
"""

import heapq
import logging
import math
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.errors import AwsError
from watchbot.lifecycle import Stop, now
from watchbot.listen.backoff import retry_delay
from watchbot.listen.breaker import Breaker
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.depth import measure_for_ever
from watchbot.listen.failures import Failures
from watchbot.listen.job import LAST_GRACE_S, LEAVING, Jobs, Report, not_run
from watchbot.listen.lines import log_end, log_start, response_s
from watchbot.listen.machine import Machine
from watchbot.listen.notify import Notifier
from watchbot.listen.orphans import reap_for_ever
from watchbot.listen.outcome import COMPLETED, FAILED, RELEASED, RETURNED, Fate
from watchbot.listen.protection import Protection
from watchbot.listen.sentback import SentBack
from watchbot.listen.tracing import Spans
from watchbot.listen.twins import Done, Turn, Twins
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.counts import left_in
from watchbot.sqs.denials import PAUSE_S
from watchbot.sqs.evidence import original
from watchbot.sqs.intake import Intake
from watchbot.sqs.lease import Lease, Leases
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue

LAST_POLL_S = 5  # a poll that is abandoned may take messages with it: it gets this to come back
LEAVE_S = 5  # from the end of the drain to that of the container
LAST_SETTLE_S = 2  # what is not settled so long after the end of the last worker never will be
TWICE = "it was in hand twice, and went back"
WENT_BACK = "one before it in its group went back"

log = logging.getLogger(__name__)


class Watcher:
    """Runs jobs for the messages of a queue."""

    def __init__(
        self,
        settings: WatcherSettings,
        queue: Queue,
        workspace: Workspace,
        jobs: Jobs,
        notifier: Notifier | None,
    ) -> None:
        slots = settings.slots
        self._settings, self._queue = settings, queue
        self._workspace, self._jobs, self._notifier = workspace, jobs, notifier
        self._intake = Intake(
            queue,
            self._deliver,
            slots=slots,
            # A poll that does not wait asks few of SQS's servers: its "empty" proves nothing.
            wait_s=max(settings.poll_wait, 1) if settings.exit_when_empty else settings.poll_wait,
            visibility_s=settings.visibility_timeout,
        )
        self._machine = Machine(self._intake, workspace)
        self._leases = Leases(queue, settings.visibility_timeout, jobs.lost)
        self._not_run = partial(not_run, envelope=settings.envelope)
        self._breaker = Breaker(settings.breaker)
        self.failures = Failures()
        self._numbers = list(range(slots))  # the lowest free one is a worker's WATCHBOT_WORKER
        self._groups: dict[str, deque[Lease]] = {}
        self._twins, self._sent_back = Twins(), SentBack(settings.exit_wait)
        self._done = Done()
        self._in_hand = 0
        self._uncounted: set[Lease] = set()  # in hand, and not in the metrics as settled
        self.protection: Protection | None = None
        self.spans: Spans | None = None
        self.dead_letters: DeadLetters | None = None
        self._draining = False
        self._leave_by = math.inf
        self._leaving = anyio.Event()
        self._received = anyio.Event()  # no poll is under way any more, nor will be
        self._fatal: ExceptionGroup[AwsError] | None = None
        self._workers: TaskGroup
        metrics.limit.set(slots)

    def unhealthy(self) -> str | None:
        """Why only a restart can help, or None. A queue that is away is no reason."""
        return self._intake.overdue()

    def unready(self) -> str | None:
        """Why no message would be taken now, or None."""
        if self._draining:
            return "draining"
        if self._breaker.open:
            return "the breaker is open: every message failed alike"
        unfit = self._leases.denials.trouble or self._machine.reserve.trouble
        return unfit or self._intake.trouble

    def finish(self) -> None:
        """Takes no more messages; `run` returns once those in hand are done, in their own time."""
        log.info("finishing")
        self._intake.stop()

    async def run(self, stop: Stop) -> None:
        """Receives, runs and settles until the stop; returns when nothing is in hand any more.

        Raises `AwsError`, in a group, when AWS refuses receives for good.

        The nesting is the order of the end: first no more messages, then no more workers, then
        the leases, which flushes what was settled last.
        """
        log.info("started", extra={"concurrency": len(self._numbers)})
        async with self._leases, anyio.create_task_group() as signals:
            async with anyio.create_task_group() as self._workers:
                with anyio.CancelScope() as polls:
                    signals.start_soon(self._heed, stop, polls)
                    signals.start_soon(self._drain, stop, polls)
                    signals.start_soon(reap_for_ever)
                    signals.start_soon(measure_for_ever, self._queue)
                    await self._receive(stop)
                self._received.set()
            signals.cancel_scope.cancel()
        self._machine.reserve.close()
        if self._notifier is not None:
            self._notifier.hurry(self._leave_by - now())
        left = await left_in(self._queue) if self._settings.exit_when_empty else {}
        log.info("stopped", extra=left)
        if self._fatal is not None:
            raise self._fatal

    async def _receive(self, stop: Stop) -> None:
        if stop.draining.is_set():
            return  # before anything was taken
        leaves = self._settings.exit_when_empty
        try:
            await self._intake.run(
                until_empty=self._sent_back.none_awaited if leaves else None,
                once=self._settings.writable_filesystem,
                give_up_s=self._settings.give_up_after,
            )
        except* AwsError as refused:
            # What runs gets its drain all the same.
            self._fatal = refused
            self._leaving.set()

    async def _heed(self, stop: Stop, polls: anyio.CancelScope) -> None:
        await stop.draining.wait()
        self._leaving.set()
        await stop.forced.wait()
        polls.cancel()

    async def _drain(self, stop: Stop, polls: anyio.CancelScope) -> None:
        await self._leaving.wait()
        log.info("draining", extra={"running": len(self._jobs)})
        self._draining = True
        self._leave_by = now() + max(self._settings.drain_timeout, LAST_POLL_S) + LEAVE_S
        self._intake.stop()
        polls.deadline = anyio.current_time() + LAST_POLL_S
        with anyio.move_on_after(self._settings.drain_timeout):
            await stop.forced.wait()
        # The last poll first: what is released while it is open may come right back through it.
        await self._received.wait()
        self._jobs.release_all()
        self._leases.end_by(now() + LAST_GRACE_S + LAST_SETTLE_S)
        await anyio.sleep(LAST_GRACE_S + LAST_SETTLE_S)
        self._workers.cancel_scope.cancel()  # AWS does not answer: the leases will run out

    def _deliver(self, messages: list[Message]) -> None:
        self._in_hand += len(messages)
        if self.protection is not None:
            self.protection.busy()
        for message in messages:
            lease = self._leases.take(original(message))  # one that was replayed is as it was
            self._uncounted.add(lease)
            metrics.receives.observe(message.receives)
            self._sent_back.came(message.id)
            group = message.group if self._queue.fifo else None
            if group is None:
                self._workers.start_soon(self._work, lease)
            elif group in self._groups:
                self._groups[group].append(lease)
            else:
                self._groups[group] = deque([lease])
                self._workers.start_soon(self._work_through, group)

    async def _work_through(self, group: str) -> None:
        """One at a time, in order."""
        leases = self._groups[group]
        while leases:
            await self._work(leases[0])
            leases.popleft()
        del self._groups[group]

    def _return_rest(self, lease: Lease) -> None:
        """Gives back what is in hand of the group of this one, which goes back: in order.

        What comes later does so because the queue knows that this one is gone: it may run.
        """
        leases = self._groups.get(lease.message.group or "", deque())
        if leases and leases[0] is lease:
            leases.popleft()
            for later in leases:
                self._workers.start_soon(self._work, later, WENT_BACK)
            leases.clear()
            leases.append(lease)

    async def _work(self, lease: Lease, skip_because: str | None = None) -> None:
        """Brings one message to its end, and frees its slot."""
        try:
            with self._machine.reserve.seat() as leave_seat:
                async with self._twins.turn(lease.message.id) as first:
                    await self._take_turn(lease, skip_because, first, leave_seat)
        finally:
            self._intake.give_back()
            self._in_hand -= 1
            if self.protection is not None and not self._in_hand:
                self.protection.idle()

    async def _take_turn(
        self, lease: Lease, skip_because: str | None, first: Turn, leave_seat: Callable[[], None]
    ) -> None:
        try:
            if reason := await self._reason_to_let_go(lease, skip_because):
                await self._settle(lease, self._not_run(lease.message, RELEASED, reason))
            elif lease.message.id in self._done:
                done = self._not_run(lease.message, COMPLETED, "was done before")
                await self._settle(lease, done)
            elif first.went_back:
                await self._settle(lease, self._not_run(lease.message, RETURNED, TWICE))
            else:
                await self._run(lease, leave_seat)
        except Exception:  # a fault of ours with one message must not stop the others
            log.exception("message given up", extra={"message_id": lease.message.id})
            # Settled once already, it stays so. Else it waits, as for any failure.
            report = self._not_run(lease.message, FAILED, "a fault of watchbot")
            self._count(lease, report)
            self._note_pause(lease, report)
            await self._settled(lease, report)

    async def _run(self, lease: Lease, leave_seat: Callable[[], None]) -> None:
        number = heapq.heappop(self._numbers)
        metrics.busy.inc()
        log_start(lease.message, bodies=self._settings.log_bodies)
        try:
            async with AsyncExitStack() as room:
                attempt = partial(self._try, lease, number, leave_seat, room)
                held = partial(self._leases.holds, lease)
                try:
                    report = await self._machine.insist(attempt, self._leaving, held)
                except OSError as error:
                    reason = f"the machine cannot start it: {error.strerror}"
                    report = self._not_run(lease.message, RELEASED, reason)
                await self._settle(lease, report)
        finally:
            metrics.busy.dec()
            heapq.heappush(self._numbers, number)

    async def _try(
        self, lease: Lease, number: int, leave_seat: Callable[[], None], room: AsyncExitStack
    ) -> Report:
        async with AsyncExitStack() as attempt:
            scratch = await attempt.enter_async_context(self._workspace.job())
            held = partial(self._leases.holds, lease)
            leave_seat()  # nothing waits from here to the start, so nothing else takes what it left
            report = await self._jobs.run(lease, number, scratch, held)
            room.push_async_exit(attempt.pop_all())
        return report

    async def _reason_to_let_go(self, lease: Lease, skip_because: str | None) -> str | None:
        if reason := skip_because or (LEAVING if self._draining else None):
            return reason
        return None if await self._leases.confirm(lease) else "not run"

    async def _settle(self, lease: Lease, report: Report) -> None:
        """Does to the message what its outcome says, and tells of it."""
        if report.outcome.fate is Fate.DELETE:
            self._done.add(lease.message.id)
        self._note_pause(lease, report)
        if lease.lost:
            report = replace(report, outcome=RELEASED, reason=f"lease lost; {report.how}")
        elif self.dead_letters is not None and await self.dead_letters.take(report):
            self._done.add(lease.message.id)
            report = replace(report, outcome=report.outcome.buried)
        log_end(report)
        await self._settled(lease, report)
        self._count(lease, report)
        was_open = self._breaker.open
        if self._breaker.note(report):
            self._heed_breaker()
        if report.outcome.notify:
            self.failures.note(report)
        if report.outcome.notify and self._notifier is not None and not was_open:
            self._notifier.tell(report, stopped=self._breaker.open)

    def _count(self, lease: Lease, report: Report) -> None:
        if lease not in self._uncounted:  # a fault of ours came after its end
            return
        self._uncounted.remove(lease)
        metrics.settled(report.outcome.name)
        waited_s = response_s(report.message)
        if waited_s is not None:
            metrics.response_duration.observe(waited_s)
        if self.spans is not None:
            self.spans.record(report)

    def _heed_breaker(self) -> None:
        is_open = self._breaker.open
        metrics.breaker_open.set(is_open)
        self._intake.narrow(1 if is_open else len(self._numbers))
        if is_open:
            self._intake.hold(self._breaker.pause_s)
            log.error("breaker open", extra={"pause_s": self._breaker.pause_s})
        else:
            log.info("breaker closed")

    async def _settled(self, lease: Lease, report: Report) -> None:
        if lease.lost or not report.outcome.removes:
            self._return_rest(lease)
        if report.outcome.fate is Fate.LEAVE:
            self._leases.leave(lease)
        if lease.lost or report.outcome.fate is Fate.LEAVE:
            return
        if report.outcome.removes:
            if not await self._leases.delete(lease) and self._leases.denials.trouble:
                self._intake.hold(PAUSE_S)
            return
        pause_s = self._twins.pause_s(lease.message.id)
        hidden = await self._leases.hide(lease, pause_s)
        self._sent_back.note(lease.message.id, pause_s if hidden else lease.expires_at - now())

    def _note_pause(self, lease: Lease, report: Report) -> None:
        if report.outcome.fate is Fate.RETURN:
            pause_s = retry_delay(lease.message.receives, self._settings.max_backoff, lease.left_s)
            self._twins.give_back(lease.message.id, pause_s)
