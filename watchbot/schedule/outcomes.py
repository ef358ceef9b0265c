"""What became of the tasks of runs: from the record, if it is in this database; else from ECS."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchbot import metrics
from watchbot.errors import AwsError, DatabaseError
from watchbot.schedule.cluster import Cluster
from watchbot.schedule.job import Job, read_job
from watchbot.schedule.jobs import Now
from watchbot.schedule.ledger import count_failure
from watchbot.schedule.starter import Means
from watchbot.sql.database import Database, Dialect, Row, to_text, to_time
from watchbot.sql.rows import as_table
from watchbot.task_outcome import FAILURES, SUCCESS, UNKNOWN, EndedContainer, outcome_of

AT_ONCE = 100  # runs looked at in one go
EVERY_S = 15
OFTEN, SELDOM = timedelta(seconds=15), timedelta(minutes=10)
ACTIVE = "active"

_SKIP_LOCKED: dict[Dialect, str] = {"sqlite": "", "postgres": "FOR UPDATE SKIP LOCKED"}
_TAKE = """
WITH free (j, d, c) AS (
  SELECT job_id, due_at, cause FROM schedule_run
  WHERE look_at <= :now ORDER BY look_at LIMIT :most {skip_locked})
UPDATE schedule_run SET look_at = :later
FROM free WHERE job_id = j AND due_at = d AND cause = c
RETURNING job_id, due_at, cause, job, tasks, started_at
"""
_RECORDED = """
SELECT t.task_arn, t.outcome FROM ecs_task_outcome t JOIN {arns} ON b.task_arn = t.task_arn
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run whose tasks were started, and have not been seen to end."""

    key: Mapping[str, str]
    job: Job
    arns: Sequence[str]
    started_at: datetime


class Outcomes:
    """Looks at what was started until it has ended."""

    def __init__(self, database: Database, now: Now, means: Means) -> None:
        self._database, self._now, self._means = database, now, means
        self._has_record = True  # until the database says that it has none
        self._essential: dict[str, dict[str, bool]] = {}  # by task definition, by container

    async def look(self) -> float:
        """Looks at some of those whose turn it is; the seconds to the next look.

        Raises `DatabaseError`.
        """
        runs, now = await self._take()
        ends = await self._recorded([arn for run in runs for arn in run.arns])
        for cluster in {run.job.cluster or self._means.cluster for run in runs}:
            here = [run for run in runs if (run.job.cluster or self._means.cluster) == cluster]
            open_arns = [arn for run in here for arn in run.arns if ends.get(arn, ACTIVE) == ACTIVE]
            try:
                ends |= await self._asked(cluster, open_arns)
            except AwsError as error:
                log.warning("tasks not looked at", extra={"reason": str(error)})
                continue
            for run in here:
                await self._note(run, together([ends[arn] for arn in run.arns]), now)
        return 0 if len(runs) == AT_ONCE else EVERY_S

    async def _take(self) -> tuple[list[Started], datetime]:
        sql = _TAKE.format(skip_locked=_SKIP_LOCKED[self._database.dialect])
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            rows = await transaction.fetch(
                sql, now=to_text(now), later=to_text(now + OFTEN), most=AT_ONCE
            )
        return [_started(row) for row in rows], now

    async def _recorded(self, arns: Sequence[str]) -> dict[str, str]:
        """What the tables of `watchbot record` say, if they are here."""
        if not arns or not self._has_record:
            return {}
        source = as_table(self._database.dialect, {"task_arn": "text"})
        try:
            rows = await self._database.fetch(
                _RECORDED.format(arns=source), rows=json.dumps([{"task_arn": a} for a in arns])
            )
        except DatabaseError as error:
            if error.transient:
                raise
            self._has_record = False
            return {}
        return {row["task_arn"]: row["outcome"] for row in rows}

    async def _asked(self, cluster: str, arns: Sequence[str]) -> dict[str, str]:
        """What ECS says; one that it has forgotten is unknown."""
        if not arns:
            return {}
        ecs = await self._means.clients.near("ecs", cluster)
        found = await Cluster(ecs, cluster, self._means.old_mark).described(arns)
        told = {task["taskArn"]: await self._judge(ecs, task) for task in found}
        return {arn: told.get(arn, UNKNOWN) for arn in arns}

    async def _judge(self, ecs: Any, task: Mapping[str, Any]) -> str:
        if task.get("lastStatus") != "STOPPED":
            return ACTIVE
        essential = await self._essential_of(ecs, task["taskDefinitionArn"])
        containers = [
            EndedContainer(exit_code=each.get("exitCode"), essential=essential.get(each["name"]))
            for each in task.get("containers", ())
        ]
        return outcome_of(task.get("stopCode"), containers)

    async def _essential_of(self, ecs: Any, definition: str) -> dict[str, bool]:
        if definition not in self._essential:
            answer = await ecs.call("describe_task_definition", taskDefinition=definition)
            containers = answer["taskDefinition"]["containerDefinitions"]
            self._essential[definition] = {
                each["name"]: each.get("essential", True) for each in containers
            }
        return self._essential[definition]

    async def _note(self, run: Started, outcome: str, now: datetime) -> None:
        # Long runs are looked at less and less often.
        pause = min(max((now - run.started_at) / 10, OFTEN), SELDOM)
        over = outcome != ACTIVE
        async with self._database.transaction() as transaction:
            if outcome in FAILURES:
                await count_failure(transaction, run.job.id, f"its tasks ended: {outcome}")
            elif outcome == SUCCESS:
                await transaction.execute(
                    "UPDATE schedule_job SET failures = 0 WHERE id = :id", id=run.job.id
                )
            await transaction.execute(
                "UPDATE schedule_run SET outcome = :outcome, look_at = :look_at "
                "WHERE job_id = :job_id AND due_at = :due_at AND cause = :cause",
                outcome=outcome,
                look_at=None if over else to_text(now + pause),
                **run.key,
            )
        if outcome == SUCCESS:
            metrics.schedule_last_success.labels(run.job.id).set(now.timestamp())
        if over:
            metrics.schedule_outcomes.labels(outcome).inc()
            log.info("run ended", extra={**run.key, "outcome": outcome})


def together(outcomes: Sequence[str]) -> str:
    """The outcome of a run from those of its tasks: active until all have ended, then the worst."""
    order = (ACTIVE, *FAILURES, UNKNOWN, "lost", "stopped", SUCCESS)
    return min(outcomes, key=order.index)


def _started(row: Row) -> Started:
    return Started(
        key={name: row[name] for name in ("job_id", "due_at", "cause")},
        job=read_job(row["job"]),
        arns=[task["taskId"] for task in json.loads(row["tasks"])],
        started_at=to_time(row["started_at"]),
    )
