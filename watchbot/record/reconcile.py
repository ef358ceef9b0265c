"""Reconciliation: asks ECS for its tasks, because events may be lost.

Events also say nothing of tasks that started before the rule existed. The recorder stores an
answer of ECS like an event: the higher version wins. It marks a task that ECS no longer knows as
gone, and deletes no row.
"""

import json
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio

from watchbot.aws import Client, retry_pause
from watchbot.errors import AwsError, DatabaseError, Denied
from watchbot.moment import to_text
from watchbot.record.event import TaskState, Unreadable, read_task
from watchbot.record.writer import learn_definition, write
from watchbot.sql.database import Database

DESCRIBED_AT_ONCE = 100  # ECS's limit
TRIES = 8  # of one call that ECS throttles or leaves without an answer
LEARN_S = 30  # between two looks for definitions that outcomes need
STATUSES = ("RUNNING", "STOPPED")
UNLEARNED = (  # each recorder asks it every LEARN_S: it must read the index ecs_task_unknown alone
    "SELECT DISTINCT task_definition_arn AS arn FROM ecs_task "
    "WHERE ended_outcome = 'unknown' AND task_definition_arn NOT IN "
    "(SELECT task_definition_arn FROM ecs_task_definition)"
)

log = logging.getLogger(__name__)


class Reconciler:
    """Keeps the record in step with ECS, for these clusters (`all`: every cluster)."""

    def __init__(self, database: Database, ecs: Client, clusters: Sequence[str]) -> None:
        self._database, self._ecs, self._clusters = database, ecs, clusters
        self._asked: set[str] = set()  # definitions, whether or not ECS knew them
        self._homes: dict[str, str] = {}  # how ARNs of a cluster begin, once one was seen

    async def run(self, every_s: float) -> None:
        """Reconciles now and every `every_s` seconds; logs failures, and retries next time."""
        while True:
            try:
                await self.reconcile()
            except (AwsError, DatabaseError) as error:
                log.error("not reconciled", extra={"reason": str(error)})  # noqa: TRY400 - a line
            await anyio.sleep(every_s)

    async def learn_for_ever(self) -> None:
        """Looks up the task definitions that outcomes need, until ECS denies it."""
        while True:
            try:
                await self.learn()
            except Denied:
                log.warning("ecs:DescribeTaskDefinition is denied; some outcomes stay unknown")
                return
            except (AwsError, DatabaseError) as error:
                log.warning("definitions not learned", extra={"reason": str(error)})
            await anyio.sleep(LEARN_S)

    async def reconcile(self) -> None:
        """Reconciles all clusters once. Raises `AwsError` or `DatabaseError`."""
        clusters = list(self._clusters)
        if clusters == ["all"]:
            clusters = [arn async for arn in self._pages("list_clusters", "clusterArns")]
        for cluster in clusters:
            await self._reconcile(cluster)
        await self.learn()

    async def learn(self) -> None:
        """Looks up the definitions of tasks with unknown outcomes. Raises as `reconcile` does."""
        rows = await self._database.fetch(UNLEARNED)
        for row in rows:
            if row["arn"] not in self._asked:
                await self._learn(row["arn"])
                self._asked.add(row["arn"])

    async def _learn(self, arn: str) -> None:
        try:
            answer = await self._call("describe_task_definition", taskDefinition=arn)
        except Denied:
            raise
        except AwsError as error:
            if error.transient:
                raise
            log.warning("no such definition", extra={"arn": arn, "reason": error.text})
            return
        containers = answer["taskDefinition"]["containerDefinitions"]
        # ECS's default: a container is essential.
        essential = {each["name"]: each.get("essential", True) for each in containers}
        await learn_definition(self._database, arn, essential)

    async def _reconcile(self, cluster: str) -> None:
        began = to_text(datetime.now(UTC))
        seen: set[str] = set()
        for status in STATUSES:
            arns = [
                arn
                async for arn in self._pages(
                    "list_tasks", "taskArns", cluster=cluster, desiredStatus=status
                )
            ]
            for start in range(0, len(arns), DESCRIBED_AT_ONCE):
                tasks, _ = await self._describe(cluster, arns[start : start + DESCRIBED_AT_ONCE])
                seen.update(tasks)
        gone = await self._mark_gone(cluster, began, seen)
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "INSERT INTO ecs_reconciliation VALUES (:cluster, :at, :tasks) "
                "ON CONFLICT (cluster_arn) DO UPDATE SET reconciled_at = excluded.reconciled_at, "
                "tasks = excluded.tasks",
                cluster=cluster,
                at=began,
                tasks=len(seen),
            )
        log.info("reconciled", extra={"cluster": cluster, "tasks": len(seen), "gone": gone})

    async def _mark_gone(self, cluster: str, began: str, seen: set[str]) -> int:
        """Asks by ARN for recorded tasks that no list had; marks those that ECS does not know."""
        rows = await self._database.fetch(
            "SELECT task_arn FROM ecs_task WHERE last_status <> 'STOPPED' AND gone_at IS NULL "
            "AND cluster = :cluster AND seen_at <= :began",
            cluster=cluster.rpartition("/")[2],
            began=began,
        )
        # A cluster in another region or account may have this one's name.
        named = next((arn for arn in (cluster, *seen) if arn.startswith("arn:")), None)
        if named is not None:
            self._homes[cluster] = _home(named)
        home = self._homes.get(cluster, "")
        here = {row["task_arn"] for row in rows if row["task_arn"].startswith(home)}
        doubtful = sorted(here - seen)
        missing: list[str] = []
        for start in range(0, len(doubtful), DESCRIBED_AT_ONCE):
            _, lost = await self._describe(cluster, doubtful[start : start + DESCRIBED_AT_ONCE])
            missing += lost
        async with self._database.transaction() as transaction:
            for arn in missing:
                await transaction.execute(
                    "UPDATE ecs_task SET gone_at = :began "
                    "WHERE task_arn = :arn AND last_status <> 'STOPPED' AND seen_at <= :began",
                    arn=arn,
                    began=began,
                )
        return len(missing)

    async def _describe(self, cluster: str, arns: Sequence[str]) -> tuple[list[str], list[str]]:
        """Stores these tasks; returns the ARNs that ECS knows, and those that it does not."""
        answer = await self._call("describe_tasks", cluster=cluster, tasks=list(arns))
        now = to_text(datetime.now(UTC))
        states = [state for raw in answer["tasks"] if (state := _read(raw, now))]
        await write(self._database, states)
        known = [state.task_arn for state in states]
        failures = answer.get("failures", ())
        return known, [each["arn"] for each in failures if each.get("reason") == "MISSING"]

    async def _pages(self, operation: str, key: str, **parameters: Any) -> AsyncIterator[str]:
        token: dict[str, str] = {}
        while True:
            answer = await self._call(operation, **parameters, **token)
            for arn in answer.get(key, ()):
                yield arn
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}

    async def _call(self, operation: str, **parameters: Any) -> Any:
        for failures in range(1, TRIES):
            try:
                return await self._ecs.call(operation, **parameters)
            except AwsError as error:
                if not error.transient:
                    raise
                await anyio.sleep(retry_pause(failures))
        return await self._ecs.call(operation, **parameters)


def _home(arn: str) -> str:
    """The start of an ARN, as far as the account: `arn:aws:ecs:eu-west-1:123456789012:`."""
    return "".join(f"{part}:" for part in arn.split(":")[:5])


def _read(raw: dict[str, Any], now: str) -> TaskState | None:
    detail = json.loads(json.dumps(raw, default=to_text))  # boto returns times as datetimes
    try:
        return read_task(detail, source="reconcile", event_time=now)
    except Unreadable as error:
        log.warning("task not read", extra={"arn": detail.get("taskArn"), "reason": str(error)})
        return None
