"""Starts a run: counts what is needed, asks ECS for it ten at a time, and notes each step.

What is to be asked is stored before it is asked. Whoever goes on from there, after a crash, asks
the same again under the same token, and ECS answers as it did the first time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Denied, Throttled
from watchbot.moment import to_text, to_time
from watchbot.schedule.clients import Clients
from watchbot.schedule.cluster import Cluster, ConflictingCall
from watchbot.schedule.demand import Decision, Skip, Start, Wait, decide, expected
from watchbot.schedule.message import Refused, send
from watchbot.schedule.refusals import refusal_of
from watchbot.schedule.run import Call, Ending, Run
from watchbot.schedule.store import Ledger

AT_ONCE = 10  # tasks that one call of RunTask starts at most
TOKEN_LIFE = timedelta(hours=23)  # ECS forgets a token after 24
LOOK_AGAIN_S = 5  # for the end of the run that another waits for
RETRY_CAP_S = 60
_QUEUE_LENGTH = "ApproximateNumberOfMessages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The run is not over; work at it goes on after so many seconds. `failed` counts as a try.

    `told`: a person should know of it now.
    """

    seconds: float
    reason: str
    failed: bool = True
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What runs are started with."""

    clients: Clients
    ledger: Ledger
    cluster: str = "default"  # of jobs that name none
    old_mark: str = "ecs-scheduler"  # the `startedBy` of tasks from before

    async def cluster_of(self, run: Run) -> Cluster:
        """The cluster that the tasks of a run are in."""
        name = run.job.cluster or self.cluster
        return Cluster(await self.clients.near("ecs", name), name, self.old_mark)


class Attempt:
    """One try to start a run; `run` is how far it has come."""

    def __init__(self, run: Run, now: datetime, means: Means) -> None:
        self.run = run
        self._now, self._means = now, means

    async def make(self) -> Ending | Later:
        """How it went. Raises `Lost` and `DatabaseError`."""
        if self.run.flaw:
            return ended(self.run, self.run.flaw)
        try:
            if self.run.job.target:
                return await send(self._means.clients, self.run, self.run.job.target)
            return await self._start_tasks(await self._means.cluster_of(self.run))
        except (AwsError, Refused) as error:
            first_denial = isinstance(error, Denied) and not self.run.attempts
            if _passes(error):
                return self.again(str(error), told=first_denial)
            return ended(self.run, str(error))

    def again(self, reason: str, *, told: bool = False) -> Ending | Later:
        """One more try, unless it had all of them."""
        retry = self.run.job.retry
        age_s = (self._now - self.run.created_at).total_seconds()
        # Jitter, and the run that it waited for, may have taken long before its first try.
        too_old = age_s >= retry.max_age and self.run.attempts > 0
        if self.run.attempts + 1 >= retry.attempts or too_old:
            return ended(self.run, f"given up: {reason}")
        pause_s = retry_pause(self.run.attempts + 1, cap_s=RETRY_CAP_S)
        return Later(seconds=pause_s, reason=reason, told=told)

    async def _start_tasks(self, cluster: Cluster) -> Ending | Later:
        if self.run.wanted is None:
            decision = await self._decide(cluster)
            if isinstance(decision, Skip):
                return Ending(status="skipped", reason=decision.reason)
            if isinstance(decision, Wait):
                return Later(seconds=LOOK_AGAIN_S, reason=decision.reason, failed=False)
            await self._go_on(replace(self.run, wanted=decision.count))
        while call := self.run.call:
            if self._now - to_time(call.at) > TOKEN_LIFE:
                return await self._find(cluster, call, "a call had no answer for 23 hours")
            try:
                failures = await self._call(cluster, call)
            except ConflictingCall as error:
                return await self._find(cluster, call, str(error))
            if failures:
                return self.again(_reasons(failures))
        return Ending(status="started", tasks=self.run.tasks)

    async def _call(self, cluster: Cluster, call: Call) -> list[dict[str, str]]:
        """Makes a call of RunTask, and notes what came of it; what ECS could not place."""
        try:
            tasks, failures = await cluster.start(self.run, call)
        except Throttled:
            raise
        except AwsError as error:
            if error.transient and not call.doubtful:
                self.run = replace(self.run, call=replace(call, doubtful=True))
                await self._means.ledger.note(self.run)
            raise
        known = {task["taskId"]: task for task in (*self.run.tasks, *tasks)}
        await self._go_on(replace(self.run, tasks=tuple(known.values()), failures=tuple(failures)))
        return failures

    async def _go_on(self, run: Run) -> None:
        """Notes what is known now, and the call that is next; it is made only after that."""
        missing = (run.wanted or 0) - len(run.tasks)
        number = run.call.number + 1 if run.call else 0
        call = Call(number=number, count=min(missing, AT_ONCE), at=to_text(self._now))
        run = replace(run, call=call if missing > 0 else None)
        await self._means.ledger.note(run)
        self.run = run

    async def _decide(self, cluster: Cluster) -> Decision:
        job = self.run.job
        wanted = expected(job, await self._waiting())
        if job.overlap == "allow" or not wanted:
            return decide("allow", wanted, running=0)
        running = await cluster.running(job)
        decision = decide(job.overlap, wanted, len(running))
        if isinstance(decision, Start) and decision.stop:
            await cluster.stop(running, f"replaced by a later run of the job {job.id}")
        if isinstance(decision, Wait) and await self._means.ledger.waits_before(self.run):
            return Skip(reason="an earlier run waits already")
        return decision

    async def _waiting(self) -> int | None:
        """How many messages wait in the queue of the trigger."""
        trigger = self.run.job.trigger
        if trigger is None or trigger.type != "sqs":
            return None
        sqs = await self._means.clients.near("sqs")
        url = (await sqs.call("get_queue_url", QueueName=trigger.queue_name))["QueueUrl"]
        answer = await sqs.call(
            "get_queue_attributes", QueueUrl=url, AttributeNames=[_QUEUE_LENGTH]
        )
        return int(answer["Attributes"][_QUEUE_LENGTH])

    async def _find(self, cluster: Cluster, call: Call, reason: str) -> Ending:
        """Looks for what became of a call that cannot be made again."""
        tasks = tuple(await cluster.started(self.run))
        self.run = replace(self.run, tasks=tasks, call=replace(call, doubtful=True))
        if len(tasks) >= (self.run.wanted or 0):
            return Ending(status="started", tasks=tasks)
        return ended(self.run, reason)


def ended(run: Run, reason: str) -> Ending:
    """The end of a run that could not be started as a whole."""
    if run.call and run.call.doubtful:
        reason = f"tasks may have been started, look for startedBy {run.started_by}: {reason}"
        return Ending(status="uncertain", reason=reason, tasks=run.tasks)
    if run.tasks:
        reason = f"{len(run.tasks)} of {run.wanted} tasks were started: {reason}"
    return Ending(status="partial" if run.tasks else "failed", reason=reason, tasks=run.tasks)


def _passes(error: AwsError | Refused) -> bool:
    return error.passing if isinstance(error, Refused) else refusal_of(error).passes


def _reasons(failures: list[dict[str, str]]) -> str:
    found = {failure.get("reason", "unknown") for failure in failures}
    return f"ECS could not place all tasks: {', '.join(sorted(found))}"
