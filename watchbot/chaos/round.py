"""Runs the command for all messages, once each or as a plan disturbs them, and notes each run."""

import errno
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio

from watchbot.chaos.bodies import Subject
from watchbot.chaos.plan import Ordeal
from watchbot.errors import WatchbotError
from watchbot.lifecycle import Stop
from watchbot.listen.ends import Ends
from watchbot.listen.orphans import kill_group
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job, Runner
from watchbot.outcome import COMPLETED, REJECTED
from watchbot.settings.base import TWELVE_HOURS_S
from watchbot.sqs.envelope import open_envelope
from watchbot.world import now

DONE = (COMPLETED.name, REJECTED.name)
MOST_TRIES = 4  # of a message after its fault, until it counts as stuck
PATIENCE_S = 60.0  # for the machine, or for workers that stay and were all killed a moment ago
LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote:
    """One run: when (seconds of the round), how it ended, and what was done to it.

    `grace_s` is how long it took to end after SIGTERM; None without one.
    """

    began: float
    ended: float
    outcome: str
    how: str
    fault: str | None = None
    grace_s: float | None = None
    last_words: str = ""

    @property
    def done(self) -> bool:
        """Whether the message was done by it."""
        return self.outcome in DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What runs the command, and knows its processes; at most `slots` runs go on at once."""

    runner: Runner
    ends: Ends
    slots: int


class Round:
    """One pass over all messages. `notes` has the runs of each, by its number.

    `killed` has the ids of messages of which a run got SIGKILL.
    """

    def __init__(self, tools: Tools, stop: Stop) -> None:
        self._tools, self._stop = tools, stop
        self._slots = list(range(tools.slots))
        self._free = anyio.Semaphore(tools.slots)
        self._deliveries: defaultdict[int, int] = defaultdict(int)
        self._began = now()
        self.notes: defaultdict[int, list[RunNote]] = defaultdict(list)
        self.killed: set[str] = set()

    async def calm(self, subjects: Sequence[Subject]) -> None:
        """Runs each message once."""
        await self._all([Ordeal(subject, None) for subject in subjects], {})

    async def disturbed(self, plans: Sequence[Ordeal], usual_s: Mapping[int, float]) -> None:
        """Runs each message as planned, and then until it is done, or is stuck.

        `usual_s` has the duration of a message's undisturbed run, by its number.
        """
        await self._all(plans, usual_s)

    async def repeat(self, subject: Subject, times: int) -> None:
        """Runs one message again and again, one run after the other."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_at_a_stop)
            for _ in range(times):
                if not self._stop.draining.is_set():
                    await self._run(subject)
            tasks.cancel_scope.cancel()

    async def _all(self, plans: Sequence[Ordeal], usual_s: Mapping[int, float]) -> None:
        places = anyio.Semaphore(max(1, self._tools.slots // 2))  # two runs each, at most
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_at_a_stop)
            async with anyio.create_task_group() as messages:
                for planned in plans:
                    await places.acquire()
                    if self._stop.draining.is_set():
                        break
                    messages.start_soon(self._one, planned, usual_s, places)
            tasks.cancel_scope.cancel()

    async def _one(
        self, planned: Ordeal, usual_s: Mapping[int, float], places: anyio.Semaphore
    ) -> None:
        subject, at_s = planned.subject, planned.at * usual_s.get(planned.subject.number, 0.0)
        try:
            match planned.fault:
                case None | "late":
                    await self._run(subject)
                case "twice":
                    await self._run(subject)
                    await self._run(subject, "twice")
                case "at once":
                    async with anyio.create_task_group() as both:
                        both.start_soon(self._run, subject)
                        await anyio.sleep(at_s)
                        both.start_soon(self._run, subject, "at once")
                case "terminated" | "killed":
                    await self._run(subject, planned.fault, at_s)
            if planned.fault is not None:
                await self._until_done(subject)
        finally:
            places.release()

    async def _until_done(self, subject: Subject) -> None:
        for _ in range(MOST_TRIES):
            if self._stop.draining.is_set() or self.notes[subject.number][-1].done:
                return
            await self._run(subject)

    async def _run(self, subject: Subject, fault: str | None = None, at_s: float = 0.0) -> None:
        self._deliveries[subject.number] += 1
        message = subject.delivery(self._deliveries[subject.number])
        job = Job(
            message=message,
            content=open_envelope(message),
            withheld=lambda: None,
            left_s=lambda: float(TWELVE_HOURS_S),
            leave_seat=lambda: None,
            tell=lambda verdict: None,
        )
        async with self._free:
            slot = self._slots.pop()
            striking = _Striking(self._tools, job, fault)
            began = now()
            try:
                async with anyio.create_task_group() as during:
                    if fault == "killed":
                        self.killed.add(job.message.id)
                    if fault in ("terminated", "killed"):
                        during.start_soon(striking.strike, at_s)
                    verdict = await self._verdict(job, slot)
                    during.cancel_scope.cancel()
                await self._tools.runner.clear(slot)
            finally:
                self._slots.append(slot)
        self._note(subject, began, verdict, striking)

    async def _verdict(self, job: Job, slot: int) -> Verdict:
        ends = now() + PATIENCE_S
        while True:
            try:
                [verdict] = await self._tools.runner.run([job], slot)
            except OSError as error:
                if error.errno != errno.EAGAIN or now() > ends:
                    reason = error.strerror
                    raise WatchbotError(f"this machine cannot start it: {reason}") from error
                await anyio.sleep(LOOK_EVERY_S)
            else:
                return job.asks.amended(verdict)

    def _note(
        self, subject: Subject, began: float, verdict: Verdict, striking: "_Striking"
    ) -> None:
        ended = now()
        struck = striking.struck_at
        terminated = striking.fault == "terminated" and struck is not None
        words = verdict.tail.strip().rpartition("\n")[2]
        self.notes[subject.number].append(
            RunNote(
                began=began - self._began,
                ended=ended - self._began,
                outcome=verdict.outcome.name,
                how=verdict.reason or str(verdict.ending),
                fault=striking.fault if striking.fault in ("twice", "at once") or struck else None,
                grace_s=ended - struck if terminated and struck is not None else None,
                last_words=words,
            )
        )

    async def _end_at_a_stop(self) -> None:
        await self._stop.draining.wait()
        self._tools.runner.release_all()


class _Striking:
    """The fault that strikes a run while it is under way. `struck_at`: it has."""

    def __init__(self, tools: Tools, job: Job, fault: str | None) -> None:
        self._tools, self._job, self.fault = tools, job, fault
        self.struck_at: float | None = None

    async def strike(self, after_s: float) -> None:
        await anyio.sleep(after_s)
        while (process_id := self._process()) is None:
            await anyio.sleep(0.001)
        self.struck_at = now()
        if self.fault == "killed":
            kill_group(process_id)
        else:
            self._tools.ends.kill(self._job.message)

    def _process(self) -> int | None:
        """The process that works on the message now."""
        for process_id, at_work in self._tools.ends.at_work.items():
            if any(job.message.receipt == self._job.message.receipt for job in at_work.jobs()):
                return process_id
        return None
