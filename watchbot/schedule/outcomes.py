"""What became of the tasks of runs: from the record, if it is in this database; else from ECS."""

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio

from watchbot import metrics
from watchbot.errors import AwsError, DatabaseError
from watchbot.schedule.cluster import Cluster
from watchbot.schedule.job import Job, read_job
from watchbot.schedule.jobs import Now
from watchbot.schedule.ledger import Lost, count_failure
from watchbot.schedule.notice import tell_of_tasks
from watchbot.schedule.run import ENDS_ILL
from watchbot.schedule.starter import Means
from watchbot.sql.database import Database, Dialect, Row, to_text, to_time
from watchbot.sql.rows import as_table
from watchbot.task_outcome import FAILURES, SUCCESS, UNKNOWN, EndedContainer, outcome_of

AT_ONCE = 100  # runs looked at in one go
EVERY_S = 15
OFTEN, SELDOM = timedelta(seconds=15), timedelta(minutes=10)
TELLING_S = 5  # what notices may take, also when this replica is told to stop
ACTIVE = "active"

_SKIP_LOCKED: dict[Dialect, str] = {"sqlite": "", "postgres": "FOR UPDATE SKIP LOCKED"}
_TAKE = """
WITH free (j, d, c) AS (
  SELECT job_id, due_at, cause FROM schedule_run
  WHERE look_at <= :now ORDER BY look_at LIMIT :most {skip_locked})
UPDATE schedule_run SET look_at = :later
FROM free WHERE job_id = j AND due_at = d AND cause = c
RETURNING job_id, due_at, cause, job, status, tasks, started_at
"""
_RECORDED = """
SELECT t.task_arn, t.outcome, t.stopped_reason, c.name, c.exit_code, c.reason
FROM ecs_task_outcome t JOIN {arns} ON b.task_arn = t.task_arn
LEFT JOIN ecs_task_container c ON c.task_arn = t.task_arn ORDER BY t.task_arn, c.name
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run whose tasks were started, and have not been seen to end."""

    key: Mapping[str, str]
    job: Job
    told: bool  # that it failed: not all of its tasks were started
    arns: Sequence[str]
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What became of a task, and what is known of why."""

    outcome: str
    reason: str | None = None
    containers: Sequence[Mapping[str, Any]] = ()


class Outcomes:
    """Looks at what was started until it has ended; tells `topic` of what failed."""

    def __init__(
        self, database: Database, now: Now, means: Means, topic: str | None = None
    ) -> None:
        self._database, self._now, self._means, self._topic = database, now, means, topic
        self._has_record = True  # until the database says that it has none
        self._essential: dict[str, dict[str, bool]] = {}  # by task definition, by container

    async def look(self) -> float:
        """Looks at some of those whose turn it is; the seconds to the next look.

        Raises `DatabaseError`.
        """
        runs, now = await self._take()
        ends = await self._recorded([arn for run in runs for arn in run.arns])
        failed: list[Started] = []
        try:
            for cluster in {run.job.cluster or self._means.cluster for run in runs}:
                here = [run for run in runs if (run.job.cluster or self._means.cluster) == cluster]
                try:
                    ends |= await self._asked(cluster, _open(here, ends))
                except AwsError as error:
                    log.warning("tasks not looked at", extra={"reason": str(error)})
                    continue
                for run in here:
                    to_tell = await self._note(run, {arn: ends[arn] for arn in run.arns}, now)
                    if to_tell:
                        failed.append(run)
        finally:  # what was noted is told, whatever became of the others: nobody looks at it again
            await self._tell(failed, ends)
        return 0 if len(runs) == AT_ONCE else EVERY_S

    async def _take(self) -> tuple[list[Started], datetime]:
        sql = _TAKE.format(skip_locked=_SKIP_LOCKED[self._database.dialect])
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            rows = await transaction.fetch(
                sql, now=to_text(now), later=to_text(now + OFTEN), most=AT_ONCE
            )
        return [_started(row) for row in rows], now

    async def _recorded(self, arns: Sequence[str]) -> dict[str, End]:
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
        by_task = itertools.groupby(rows, key=lambda row: row["task_arn"])
        return {arn: _end(list(containers)) for arn, containers in by_task}

    async def _asked(self, cluster: str, arns: Sequence[str]) -> dict[str, End]:
        """What ECS says; one that it has forgotten is unknown."""
        if not arns:
            return {}
        ecs = await self._means.clients.near("ecs", cluster)
        found = await Cluster(ecs, cluster, self._means.old_mark).described(arns)
        told = {task["taskArn"]: await self._judge(ecs, task) for task in found}
        return {arn: told.get(arn, End(outcome=UNKNOWN)) for arn in arns}

    async def _judge(self, ecs: Any, task: Mapping[str, Any]) -> End:
        if task.get("lastStatus") != "STOPPED":
            return End(outcome=ACTIVE)
        essential = await self._essential_of(ecs, task["taskDefinitionArn"])
        told = task.get("containers", ())
        containers = [
            EndedContainer(exit_code=each.get("exitCode"), essential=essential.get(each["name"]))
            for each in told
        ]
        return End(
            outcome=outcome_of(task.get("stopCode"), containers),
            reason=task.get("stoppedReason"),
            containers=[_container(c["name"], c.get("exitCode"), c.get("reason")) for c in told],
        )

    async def _essential_of(self, ecs: Any, definition: str) -> dict[str, bool]:
        if definition not in self._essential:
            answer = await ecs.call("describe_task_definition", taskDefinition=definition)
            containers = answer["taskDefinition"]["containerDefinitions"]
            self._essential[definition] = {
                each["name"]: each.get("essential", True) for each in containers
            }
        return self._essential[definition]

    async def _note(self, run: Started, ends: Mapping[str, End], now: datetime) -> bool:
        """Stores what became of a run; whether it failed, and that is to be told.

        Told after it was noted, unlike a failed start: so no two replicas tell of it.
        """
        outcome = together([end.outcome for end in ends.values()])
        over = outcome != ACTIVE
        try:
            await self._write(run, outcome, now)
        except Lost:
            return False  # another replica saw its end first, or the job was deleted
        if outcome == SUCCESS:
            metrics.schedule_last_success.labels(run.job.id).set(now.timestamp())
        if over:
            metrics.schedule_outcomes.labels(outcome).inc()
            log.info("run ended", extra={**run.key, "outcome": outcome})
        return outcome in FAILURES and not run.told

    async def _write(self, run: Started, outcome: str, now: datetime) -> None:
        # Long runs are looked at less and less often.
        pause = min(max((now - run.started_at) / 10, OFTEN), SELDOM)
        async with self._database.transaction() as transaction:
            # The job first, as in the ledger.
            if outcome in FAILURES:
                await count_failure(transaction, run.job.id, f"its tasks ended: {outcome}")
            elif outcome == SUCCESS:
                await transaction.execute(
                    "UPDATE schedule_job SET failures = 0 WHERE id = :id", id=run.job.id
                )
            written = await transaction.execute(
                "UPDATE schedule_run SET outcome = :outcome, look_at = :look_at WHERE job_id = "
                ":job_id AND due_at = :due_at AND cause = :cause AND look_at IS NOT NULL",
                outcome=outcome,
                look_at=to_text(now + pause) if outcome == ACTIVE else None,
                **run.key,
            )
            if not written:
                raise Lost

    async def _tell(self, runs: Sequence[Started], ends: Mapping[str, End]) -> None:
        with anyio.move_on_after(TELLING_S, shield=True) as limit:
            async with anyio.create_task_group() as notices:
                for run in runs:
                    notices.start_soon(self._tell_of, run, ends)
        if limit.cancelled_caught:
            log.warning("failures not told", extra={"reason": f"not done in {TELLING_S} s"})

    async def _tell_of(self, run: Started, ends: Mapping[str, End]) -> None:
        tasks = [
            {"taskId": arn, **asdict(ends[arn])}
            for arn in run.arns
            if ends[arn].outcome in FAILURES
        ]
        outcome = together([task["outcome"] for task in tasks])
        await tell_of_tasks(self._means.clients, self._topic, run.key, outcome, tasks)


def together(outcomes: Sequence[str]) -> str:
    """The outcome of a run from those of its tasks: active until all have ended, then the worst."""
    order = (ACTIVE, *FAILURES, UNKNOWN, "lost", "stopped", SUCCESS)
    return min(outcomes, key=order.index)


def _started(row: Row) -> Started:
    return Started(
        key={name: row[name] for name in ("job_id", "due_at", "cause")},
        job=read_job(row["job"]),
        told=row["status"] in ENDS_ILL,
        arns=[task["taskId"] for task in json.loads(row["tasks"])],
        started_at=to_time(row["started_at"]),
    )


def _open(runs: Sequence[Started], ends: Mapping[str, End]) -> list[str]:
    """Those of their tasks that are not known to have ended."""
    return [
        arn for run in runs for arn in run.arns if arn not in ends or ends[arn].outcome == ACTIVE
    ]


def _end(rows: Sequence[Row]) -> End:
    """A task of the record, of which there is a row for each container, or one in all."""
    return End(
        outcome=rows[0]["outcome"],
        reason=rows[0]["stopped_reason"],
        containers=[
            _container(row["name"], row["exit_code"], row["reason"]) for row in rows if row["name"]
        ],
    )


def _container(name: str, exit_code: int | None, reason: str | None) -> dict[str, Any]:
    return {"name": name, "exitCode": exit_code, "reason": reason}
