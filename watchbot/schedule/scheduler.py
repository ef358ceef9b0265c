"""Plans due runs, and starts them: two loops, which several replicas may run at once."""

import logging
from collections.abc import Sequence

import anyio

from watchbot import metrics
from watchbot.errors import DatabaseError
from watchbot.lifecycle import Stop
from watchbot.moment import to_text
from watchbot.schedule.loop import Loop, Step
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.start.notice import notify
from watchbot.schedule.start.outcomes import Outcomes
from watchbot.schedule.start.starter import Attempt, Later, Means
from watchbot.schedule.store.run import ENDS_ILL, RENEW_S, CalledOff, LeasedRun, Lost, RunEnd
from watchbot.schedule.store.store import Store
from watchbot.settings.schedule import ScheduleSettings
from watchbot.world import REAL, World

LOCKED_S = 0.02
LOOK_S = 1  # the longest pause of a loop, because other replicas also write
LAST_WORD_S = 5
FORGET_EVERY_S = 3600
MOST_AT_END = 1000  # runs of a job that may be due when the last one of its fires is past

log = logging.getLogger(__name__)


class Scheduler:
    """One replica of the scheduler. `others` are further steps that it repeats."""

    def __init__(
        self,
        settings: ScheduleSettings,
        store: Store,
        clients: Clients,
        others: Sequence[Step] = (),
        world: World = REAL,
    ) -> None:
        self._settings, self._store, self._clients = settings, store, clients
        self._others, self._world = others, world
        self._ledger = store.ledger(world.name())
        self._means = Means(
            clients=clients,
            ledger=self._ledger,
            cluster=settings.cluster,
            old_mark=settings.old_started_by,
            chance=world.chance,
        )
        self._in_hand: dict[tuple[str, str, str], LeasedRun] = {}
        self._work = anyio.create_task_group()
        self._planning, self._taking = Loop(self._plan, world), Loop(self._take, world)
        self._loops = (self._planning, self._taking)
        self._draining = False

    def unhealthy(self) -> str | None:
        """The reason why only a restart can help, or None. An unreachable database is none."""
        return next(filter(None, (loop.overdue() for loop in self._loops)), None)

    def unready(self) -> str | None:
        """The reason why no run would start now, or None."""
        if self._draining:
            return "draining"
        return next(filter(None, (loop.trouble for loop in self._loops)), None)

    def look(self) -> None:
        """Makes the loops look at once, because a job or a run has changed."""
        for loop in self._loops:
            loop.wake()

    async def run(self, stop: Stop) -> None:
        """Plans and starts runs until `stop`; returns when no run is in hand any more."""
        log.info("started", extra={"database": self._store.shown_url})
        topic = self._settings.notification_topic
        outcomes = Outcomes(self._store, self._means, topic)
        async with anyio.create_task_group() as chores:
            for step in (self._renew, self._forget, outcomes.look, *self._others):
                chores.start_soon(Loop(step, self._world).run)
            async with self._work:
                async with anyio.create_task_group() as loops:
                    for loop in self._loops:
                        loops.start_soon(loop.run)
                    await stop.draining.wait()
                    log.info("draining", extra={"in_hand": len(self._in_hand)})
                    self._draining = True
                    for loop in self._loops:
                        loop.end()
                chores.start_soon(self._cut_short, stop, self._work.cancel_scope)
            chores.cancel_scope.cancel()
        await self._let_go()
        log.info("stopped")

    async def _cut_short(self, stop: Stop, work: anyio.CancelScope) -> None:
        with anyio.move_on_after(self._settings.drain_timeout):
            await stop.forced.wait()
        work.cancel()  # another replica continues these runs, with their tokens

    async def _let_go(self) -> None:
        try:
            with anyio.move_on_after(LAST_WORD_S):
                await self._ledger.release(list(self._in_hand.values()))
        except DatabaseError as error:
            log.warning("runs not released", extra={"reason": str(error)})

    async def _renew(self) -> float:
        if self._in_hand:
            await self._ledger.renew(list(self._in_hand.values()))
        return RENEW_S

    async def _forget(self) -> float:
        while await self._store.runs.forget():
            pass
        return FORGET_EVERY_S

    async def _plan(self) -> float:
        back = await self._store.look_at_clock()
        if back:
            seconds = round(back.total_seconds())
            log.warning("the store's clock was set back; planned anew", extra={"seconds": seconds})
        planned = await self._store.plan()
        if planned.due:
            self._taking.wake()
        for job_id, count in planned.missed.items():
            log.warning("runs missed", extra={"job": job_id, "count": count})
            metrics.schedule_runs.labels(metrics.schedule_label(job_id), "missed").inc(count)
        if planned.more:
            return 0
        # Another replica has locked the due jobs that this pass skipped.
        return max(await self._store.seconds_to_plan(LOOK_S), LOCKED_S)

    async def _take(self) -> float:
        free = self._settings.concurrency - len(self._in_hand)
        if not free:
            return LOOK_S  # a run that ends wakes the loop
        runs, now = await self._ledger.take(free)
        for run in runs:
            # This replica has taken its own run again: the database was away for a long time.
            if run.key not in self._in_hand:
                self._in_hand[run.key] = run
                self._work.start_soon(self._attempt, Attempt(run, now, self._means))
        if len(runs) == free:
            return 0
        return max(await self._ledger.seconds_to_next(LOOK_S), LOCKED_S)

    async def _attempt(self, attempt: Attempt) -> None:
        key = attempt.run.key
        try:
            await self._make(attempt)
        except Lost:
            log.warning("run lost to another replica", extra=_facts(attempt.run))
        except DatabaseError as error:
            # The lease expires, and another replica continues from the last note.
            log.warning("run not noted", extra={**_facts(attempt.run), "reason": str(error)})
        del self._in_hand[key]  # a cancelled run stays, and is released at the end
        self._taking.wake()

    async def _make(self, attempt: Attempt) -> None:
        try:
            result = await attempt.make()
        except (Lost, DatabaseError):
            raise
        except Exception as error:  # an error of one run must not stop the others
            log.exception("run failed unexpectedly", extra=_facts(attempt.run))
            result = attempt.again(repr(error))
        if isinstance(result, Later):
            facts = {**_facts(attempt.run), "reason": result.reason}
            level = logging.WARNING if result.told else logging.INFO
            log.log(level if result.failed else logging.DEBUG, "run put off", extra=facts)
            await self._put_off(attempt, result)
        else:
            await self._end(attempt.run, result)

    async def _put_off(self, attempt: Attempt, later: Later) -> None:
        run = attempt.run
        try:
            await self._ledger.put_off(run, later.seconds, later.reason, later.failed)
        except CalledOff as error:
            # The next replica that takes the run finds out the rest.
            ending = await attempt.call_off(error.reason)
            if isinstance(ending, RunEnd):
                await self._end(attempt.run, ending)
            else:
                await self._ledger.release([run])

    async def _end(self, run: LeasedRun, ending: RunEnd) -> None:
        ill = ending.status in ENDS_ILL
        if ill:  # before the note: two notices are better than none
            await notify(self._clients, self._settings.notification_topic, run, ending)
        ended_at = await self._ledger.finish(run, ending)
        schedule = metrics.schedule_label(run.job.id)
        metrics.schedule_runs.labels(schedule, ending.status).inc()
        if ending.status == "started":
            lag_s = max((ended_at - run.due_at).total_seconds(), 0)
            metrics.schedule_lag.labels(schedule).observe(lag_s)
            if not ending.tasks:
                metrics.schedule_last_success.labels(schedule).set(ended_at.timestamp())
        facts = {**_facts(run), "reason": ending.reason, "tasks": len(ending.tasks)}
        log.log(logging.ERROR if ill else logging.INFO, "run %s", ending.status, extra=facts)
        if ending.status == "started" and run.job.remove_when_done:
            await self._remove(run)

    async def _remove(self, run: LeasedRun) -> None:
        """Removes the run's job if it has nothing more to do, and nobody has changed it."""
        job = await self._store.jobs.find(run.job.id)
        if job is None or job.next_fire_at is not None or job.job.suspended:
            return
        others = await self._store.runs.of_job(run.job.id, MOST_AT_END, None)
        if any(other["status"] == "due" for other in others):
            return  # the last of them removes the job
        if await self._store.jobs.remove(run.job.id, run.generation):
            log.info("job removed, as its last run has started", extra={"job": run.job.id})


def _facts(run: LeasedRun) -> dict[str, str]:
    return {"job": run.job.id, "due_at": to_text(run.due_at), "cause": run.cause}
