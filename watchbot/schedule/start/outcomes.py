"""Finds the outcomes of tasks: from the record, if this store has one, else from ECS."""

import logging
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

import anyio

from watchbot import metrics
from watchbot.errors import AwsError, NotFound, Rejected
from watchbot.moment import to_text
from watchbot.schedule.start.cluster import Cluster
from watchbot.schedule.start.notice import notify_of_tasks
from watchbot.schedule.start.starter import Means
from watchbot.schedule.start.turn import NEW
from watchbot.schedule.store.run import ENDS_ILL, Lost, Started
from watchbot.schedule.store.store import Store
from watchbot.task_outcome import (
    FAILURES,
    SUCCESS,
    UNKNOWN,
    EndedContainer,
    TaskEnd,
    container_end,
    outcome_of,
)

AT_ONCE = 100  # runs that one look covers
EVERY_S = 15
OFTEN, SELDOM = timedelta(seconds=15), timedelta(minutes=10)
DEFINITIONS = 1000  # that are remembered
NOTIFYING_S = 5  # the time limit of notices, also during a shutdown
ACTIVE = "active"

log = logging.getLogger(__name__)


class Outcomes:
    """Looks at started runs until their tasks have ended; reports failures to `topic`."""

    def __init__(self, store: Store, means: Means, topic: str | None = None) -> None:
        self._runs, self._record = store.runs, store.record
        self._means, self._topic = means, topic
        self._essential: dict[str, dict[str, bool]] = {}  # by task definition, by container

    async def look(self) -> float:
        """Looks at some runs that are due for a look; returns the seconds to the next look.

        Raises `DatabaseError`.
        """
        runs, now = await self._runs.take_started(AT_ONCE)
        ends = dict(await self._record.ends([arn for run in runs for arn in run.arns]))
        failed: list[Started] = []
        try:
            for cluster in {run.cluster or self._means.cluster for run in runs}:
                here = [run for run in runs if (run.cluster or self._means.cluster) == cluster]
                try:
                    ends |= await self._asked(cluster, _open(here, ends), _new(here, now))
                except AwsError as error:
                    log.warning("tasks not looked at", extra={"reason": str(error)})
                    continue
                for run in here:
                    to_notify = await self._note(run, {arn: ends[arn] for arn in run.arns}, now)
                    if to_notify:
                        failed.append(run)
        finally:  # a noted failure must be reported now, because nobody looks at it again
            await self._notify(failed, ends)
        return 0 if len(runs) == AT_ONCE else EVERY_S

    async def _asked(self, cluster: str, arns: Sequence[str], new: Set[str]) -> dict[str, TaskEnd]:
        """The outcomes from ECS. A task unknown to ECS is `unknown`, unless it is in `new`."""
        if not arns:
            return {}
        ecs = await self._means.clients.near("ecs", cluster)
        found = await Cluster(ecs, cluster, self._means.old_mark).described(arns)
        told = {task["taskArn"]: await self._judge(ecs, task) for task in found}
        unknown = {arn: TaskEnd(outcome=ACTIVE if arn in new else UNKNOWN) for arn in arns}
        return {**unknown, **told}

    async def _judge(self, ecs: Any, task: Mapping[str, Any]) -> TaskEnd:
        if task.get("lastStatus") != "STOPPED":
            return TaskEnd(outcome=ACTIVE)
        essential = await self._essential_of(ecs, task["taskDefinitionArn"])
        told = task.get("containers", ())
        containers = [
            EndedContainer(exit_code=each.get("exitCode"), essential=essential.get(each["name"]))
            for each in told
        ]
        return TaskEnd(
            outcome=outcome_of(task.get("stopCode"), containers),
            reason=task.get("stoppedReason"),
            containers=[container_end(c["name"], c.get("exitCode"), c.get("reason")) for c in told],
            duration_s=_seconds(task.get("startedAt"), task.get("stoppedAt")),
        )

    async def _essential_of(self, ecs: Any, definition: str) -> dict[str, bool]:
        if definition not in self._essential:
            try:
                answer = await ecs.call("describe_task_definition", taskDefinition=definition)
            except (NotFound, Rejected):
                return {}  # the cluster was deleted
            containers = answer["taskDefinition"]["containerDefinitions"]
            if len(self._essential) >= DEFINITIONS:  # each deployment makes a new one
                self._essential.clear()
            self._essential[definition] = {
                each["name"]: each.get("essential", True) for each in containers
            }
        return self._essential[definition]

    async def _note(self, run: Started, ends: Mapping[str, TaskEnd], now: datetime) -> bool:
        """Stores the outcome of a run; returns whether it failed and must be reported.

        Unlike a failed start, the report comes after the note, so that only one replica reports.
        """
        outcome = together([end.outcome for end in ends.values()])
        over = outcome != ACTIVE
        # The longer a run takes, the longer the pause between two looks.
        pause = min(max((now - run.started_at) / 10, OFTEN), SELDOM)
        try:
            kept = {arn: _kept(end) for arn, end in ends.items() if end.outcome != ACTIVE}
            await self._runs.note_outcome(run, outcome, None if over else now + pause, kept)
        except Lost:
            return False  # another replica saw its end first, or the job was deleted
        schedule = metrics.schedule_label(run.job_id)
        if outcome == SUCCESS:
            metrics.schedule_last_success.labels(schedule).set(now.timestamp())
        if over:
            metrics.schedule_outcomes.labels(schedule, outcome).inc()
            log.info("run ended", extra={**_facts(run), "outcome": outcome})
        return outcome in FAILURES and run.status not in ENDS_ILL  # those are reported already

    async def _notify(self, runs: Sequence[Started], ends: Mapping[str, TaskEnd]) -> None:
        with anyio.move_on_after(NOTIFYING_S, shield=True) as limit:
            async with anyio.create_task_group() as notices:
                for run in runs:
                    notices.start_soon(self._notify_of, run, ends)
        if limit.cancelled_caught:
            log.warning("failures not told", extra={"reason": f"not done in {NOTIFYING_S} s"})

    async def _notify_of(self, run: Started, ends: Mapping[str, TaskEnd]) -> None:
        tasks: list[dict[str, Any]] = [
            {
                "taskId": arn,
                "outcome": ends[arn].outcome,
                "reason": ends[arn].reason,
                "containers": ends[arn].containers,
            }
            for arn in run.arns
            if ends[arn].outcome in FAILURES
        ]
        outcome = together([task["outcome"] for task in tasks])
        await notify_of_tasks(self._means.clients, self._topic, _facts(run), outcome, tasks)


def together(outcomes: Sequence[str]) -> str:
    """The outcome of a run from those of its tasks: active until all have ended, then the worst."""
    order = (ACTIVE, *FAILURES, UNKNOWN, "lost", "stopped", SUCCESS)
    return min(outcomes, key=order.index)


def _open(runs: Sequence[Started], ends: Mapping[str, TaskEnd]) -> list[str]:
    """Tasks that are not known to have ended."""
    return [
        arn for run in runs for arn in run.arns if arn not in ends or ends[arn].outcome == ACTIVE
    ]


def _new(runs: Sequence[Started], now: datetime) -> Set[str]:
    """Tasks that ECS may not know yet."""
    return {arn for run in runs if now - run.started_at < NEW for arn in run.arns}


def _kept(end: TaskEnd) -> dict[str, Any]:
    """What the ledger keeps of a task's end, in the API's form."""
    return {
        "outcome": end.outcome,
        "exitCode": end.exit_code,
        "reason": end.reason,
        "durationS": end.duration_s,
    }


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _facts(run: Started) -> dict[str, str]:
    return {"job": run.job_id, "due_at": to_text(run.due_at), "cause": run.cause}
