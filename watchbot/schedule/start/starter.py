"""Starts a run: decides the number of tasks, asks ECS for ten at a time, and notes each step.

The starter stores each call before it makes the call. After a crash another replica repeats the
call under its token, and ECS gives its first answer again.
"""

import logging
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Denied, NotFound, Rejected, Throttled
from watchbot.moment import to_text, to_time
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.start.cluster import Cluster, ConflictingCall
from watchbot.schedule.start.demand import (
    TURN_S,
    Decision,
    Skip,
    UnderWay,
    Wait,
    decide,
    decide_backfill,
    expected,
)
from watchbot.schedule.start.message import Refused, send
from watchbot.schedule.start.refusals import refusal_of
from watchbot.schedule.start.turn import Others, others_of
from watchbot.schedule.store.run import CalledOff, LeasedRun, Other, RunEnd, StartCall
from watchbot.schedule.store.store import Ledger
from watchbot.world import REAL

AT_ONCE = 10  # the most tasks of one RunTask call
TOKEN_LIFE = timedelta(hours=23)  # ECS forgets a token after 24
RETRY_CAP_S = 60
_QUEUE_LENGTH = "ApproximateNumberOfMessages"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The run is not over, and continues after `seconds`. `failed`: this counts as a try.

    `told`: log it as a warning now.
    """

    seconds: float
    reason: str
    failed: bool = True
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The means to start runs: clients, ledger, names and chance."""

    clients: Clients
    ledger: Ledger
    cluster: str = "default"  # for jobs without a cluster
    old_mark: str = "ecs-scheduler"  # the `startedBy` of ecs-scheduler's tasks
    chance: random.Random = REAL.chance

    async def cluster_of(self, run: LeasedRun) -> Cluster:
        """The cluster of a run's tasks."""
        return await self.cluster_named(run.job.cluster or self.cluster)

    async def cluster_named(self, name: str) -> Cluster:
        """The cluster with this name or ARN."""
        return Cluster(await self.clients.near("ecs", name), name, self.old_mark)


class Busy(Exception):
    """The scheduler decides another run of the job now."""


class Attempt:
    """A try to start a run; `run` has its progress."""

    def __init__(self, run: LeasedRun, now: datetime, means: Means) -> None:
        self.run = run
        self._now, self._means = now, means

    async def make(self) -> RunEnd | Later:
        """Makes the try; returns its result. Raises `Lost` and `DatabaseError`."""
        if self.run.called_off:
            return await self.call_off(self.run.called_off)
        if self.run.flaw:
            return ended(self.run, self.run.flaw)
        try:
            if self.run.job.target:
                return await send(self._means.clients, self.run, self.run.job.target)
            return await self._start_tasks(await self._means.cluster_of(self.run))
        except Busy:
            reason = "another run of this job is decided first"
            return Later(seconds=TURN_S, reason=reason, failed=False)
        except (AwsError, Refused) as error:
            first_denial = isinstance(error, Denied) and not self.run.attempts
            if _passes(error):
                return self.again(str(error), told=first_denial)
            return ended(self.run, str(error))
        except CalledOff as error:
            return await self.call_off(error.reason)

    async def call_off(self, reason: str) -> RunEnd | Later:
        """Ends a run that must not start further tasks."""
        run = self.run
        if run.call and run.call.doubtful and not run.job.target:
            try:
                return await self._find(await self._means.cluster_of(run), run.call, reason)
            except AwsError as error:
                return self.again(str(error))
        return ended(run, reason) if run.tasks else RunEnd(status="skipped", reason=reason)

    def again(self, reason: str, *, told: bool = False) -> RunEnd | Later:
        """Asks for one more try, or ends the run if it had all of its tries."""
        retry = self.run.job.retry
        age_s = (self._now - self.run.created_at).total_seconds()
        # Jitter, or waiting for other runs, may have delayed the first try.
        waited = self.run.attempts == 0 or self.run.cause == "backfill"
        too_old = age_s >= retry.max_age and not waited
        if self.run.attempts + 1 >= retry.attempts or too_old:
            return ended(self.run, f"given up: {reason}")
        chance = self._means.chance
        pause_s = retry_pause(self.run.attempts + 1, cap_s=RETRY_CAP_S, chance=chance)
        return Later(seconds=pause_s, reason=reason, told=told)

    async def _start_tasks(self, cluster: Cluster) -> RunEnd | Later:
        if self.run.wanted is None:
            waits = await self._begin(cluster)
            if waits:
                return waits
        while call := self.run.call:
            if self._now - to_time(call.at) > TOKEN_LIFE:
                return await self._find(cluster, call, "a call had no answer for 23 hours")
            try:
                failures = await self._call(cluster, call)
            except ConflictingCall as error:
                return await self._find(cluster, call, str(error))
            if failures:
                return self.again(_reasons(failures))
        return RunEnd(status="started", tasks=self.run.tasks)

    async def _begin(self, cluster: Cluster) -> RunEnd | Later | None:
        """Decides what the run starts, and notes the decision; None if it starts something."""
        others = await self._others(cluster)
        decision = await self._decide(others)
        if isinstance(decision, Skip):
            return RunEnd(status="skipped", reason=decision.reason)
        if isinstance(decision, Wait):
            return Later(seconds=decision.seconds, reason=decision.reason, failed=False)
        if decision.stop and others:
            await self._replace(cluster, others)
        decided = others.runs if others else None
        told = await self._told_containers(cluster)
        await self._go_on(replace(self.run, wanted=decision.count), decided, told)
        return None

    async def _call(self, cluster: Cluster, call: StartCall) -> list[dict[str, str]]:
        """Calls RunTask, stores the result, and returns the failures that ECS reported."""
        try:
            tasks, failures = await cluster.start(self.run, call)
        except Throttled:
            raise
        except AwsError as error:
            if error.transient and not call.doubtful:
                self.run = replace(self.run, call=replace(call, doubtful=True))
                await self._means.ledger.note(self.run)
            raise
        known = _together(self.run.tasks, tasks)
        await self._go_on(replace(self.run, tasks=known, failures=tuple(failures)))
        return failures

    async def _told_containers(self, cluster: Cluster) -> Sequence[str]:
        """The containers that get the run's time; none if ECS denies to describe them."""
        if not self.run.told:
            return ()
        try:
            return await cluster.containers(self.run.job)
        except Denied as error:
            facts = {"job": self.run.job.id, "reason": str(error)}
            log.warning("containers not told which time they run for", extra=facts)
        except (NotFound, Rejected):
            pass  # RunTask's own error is better
        return ()

    async def _go_on(
        self,
        run: LeasedRun,
        decided: Sequence[Other] | None = None,
        containers: Sequence[str] = (),
    ) -> None:
        """Stores the run's progress and its next call, before the call is made."""
        missing = (run.wanted or 0) - len(run.tasks)
        number = run.call.number + 1 if run.call else 0
        call = StartCall(
            number=number,
            count=min(missing, AT_ONCE),
            at=to_text(self._now),
            containers=run.call.containers if run.call else containers,
        )
        run = replace(run, call=call if missing > 0 else None)
        try:
            await self._means.ledger.note(run, decided)
        except CalledOff:
            # The run's call has its answer, so nobody repeats it.
            self.run = replace(self.run, tasks=run.tasks, failures=run.failures, call=None)
            if run.tasks and missing <= 0:
                return  # the run had started all tasks before it was called off
            raise
        self.run = run

    async def _others(self, cluster: Cluster) -> Others | None:
        """The job's other runs, if the decision depends on them. Raises `Busy`."""
        if not self.run.takes_turns:
            return None
        open_runs = await self._means.ledger.claim(self.run)
        if open_runs is None:
            raise Busy
        names = {other.cluster or self._means.cluster for other in open_runs if other.arns}
        elsewhere = [
            await self._means.cluster_named(name) for name in sorted(names - {cluster.name})
        ]
        return await others_of(self.run, open_runs, cluster, elsewhere, self._now)

    async def _decide(self, others: Others | None) -> Decision:
        run, wanted = self.run, expected(self.run.job, await self._waiting())
        if others is None:
            return decide("allow", wanted, UnderWay())
        now = others.under_way(run)
        if run.cause == "backfill":
            under_way = others.runs_under_way(run)
            return decide_backfill(wanted, run.concurrency or 1, under_way, now.ahead)
        return decide(run.job.overlap, wanted, now)

    async def _replace(self, cluster: Cluster, others: Others) -> None:
        """Ends the job's other work: first runs that would start tasks, then running tasks."""
        reason = f"replaced by a later run of the job {self.run.job.id}"
        begun = [other for other in others.runs if other.begun and not other.over]
        await self._means.ledger.end_others(self.run, begun, reason)
        for name, arns in others.by_cluster(cluster.name).items():
            there = cluster if name == cluster.name else await self._means.cluster_named(name)
            await there.stop(arns, reason)

    async def _waiting(self) -> int | None:
        """The number of messages in the trigger's queue."""
        trigger = self.run.job.trigger
        if trigger is None or trigger.type != "sqs":
            return None
        sqs = await self._means.clients.near("sqs")
        url = (await sqs.call("get_queue_url", QueueName=trigger.queue_name))["QueueUrl"]
        answer = await sqs.call(
            "get_queue_attributes", QueueUrl=url, AttributeNames=[_QUEUE_LENGTH]
        )
        return int(answer["Attributes"][_QUEUE_LENGTH])

    async def _find(self, cluster: Cluster, call: StartCall, reason: str) -> RunEnd:
        """Looks for the tasks of a call that cannot be repeated."""
        # ECS forgets a stopped task within the hour, and lists a new one late.
        tasks = _together(self.run.tasks, await cluster.started(self.run))
        self.run = replace(self.run, tasks=tasks, call=replace(call, doubtful=True))
        if len(tasks) >= (self.run.wanted or 0):
            return RunEnd(status="started", tasks=tasks)
        return ended(self.run, reason)


def ended(run: LeasedRun, reason: str) -> RunEnd:
    """The end of a run that did not start all of its tasks."""
    if run.call and run.call.doubtful:
        reason = f"tasks may have been started, look for startedBy {run.started_by}: {reason}"
        return RunEnd(status="uncertain", reason=reason, tasks=run.tasks)
    if run.tasks:
        reason = f"{len(run.tasks)} of {run.wanted} tasks were started: {reason}"
    return RunEnd(status="partial" if run.tasks else "failed", reason=reason, tasks=run.tasks)


def _together(
    known: Iterable[dict[str, Any]], more: Iterable[dict[str, Any]]
) -> tuple[dict[str, Any], ...]:
    """These tasks, each once."""
    return tuple({task["taskId"]: task for task in (*known, *more)}.values())


def _passes(error: AwsError | Refused) -> bool:
    return error.passing if isinstance(error, Refused) else refusal_of(error).passes


def _reasons(failures: list[dict[str, str]]) -> str:
    found = {failure.get("reason", "unknown") for failure in failures}
    return f"ECS could not place all tasks: {', '.join(sorted(found))}"
