"""Writes events: a batch in one transaction; writing a batch twice changes nothing."""

import itertools
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchbot.errors import DataRefused
from watchbot.record import instance
from watchbot.record.event import STOPPED, OtherEvent, TaskState
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Row
from watchbot.task_outcome import EndedContainer, outcome_of

JUDGED_AT_ONCE = 1000
UNDECIDED = (  # a definition changes no outcome that is known without it
    "SELECT task_arn FROM ecs_task WHERE task_definition_arn = :arn AND ended_outcome = 'unknown' "
    "ORDER BY task_arn"
)

log = logging.getLogger(__name__)

_COLUMNS = {  # the columns of ecs_task but `detail`, with their types in PostgreSQL
    "task_arn": "text",
    "task_id": "text",
    "cluster_arn": "text",
    "cluster": "text",
    "task_definition_arn": "text",
    "family": "text",
    "revision": "integer",
    "launch_type": "text",
    "capacity_provider": "text",
    "availability_zone": "text",
    "container_instance_arn": "text",
    "started_by": "text",
    "task_group": "text",
    "last_status": "text",
    "desired_status": "text",
    "stop_code": "text",
    "stopped_reason": "text",
    "created_at": "timestamptz",
    "started_at": "timestamptz",
    "stopped_at": "timestamptz",
    "version": "bigint",
    "source": "text",
    "ended_outcome": "text",
}
_HISTORY = {
    "task_arn": "text",
    "version": "bigint",
    "event_id": "text",
    "event_time": "timestamptz",
    "source": "text",
    "last_status": "text",
    "desired_status": "text",
    "detail": "jsonb",
}
_CONTAINER = {
    "task_arn": "text",
    "name": "text",
    "version": "bigint",
    "container_arn": "text",
    "last_status": "text",
    "exit_code": "integer",
    "reason": "text",
    "image": "text",
    "image_digest": "text",
}
_DEFINITION = {"task_definition_arn": "text", "name": "text", "essential": "boolean"}
_STOP = {"task_arn": "text", "name": "text", "version": "bigint"}
_EVENT = {"event_id": "text", "detail_type": "text", "event_time": "timestamptz", "event": "jsonb"}
_REJECT = {"message_id": "text", "body": "text", "error": "text", "receive_count": "integer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A message that cannot be read, and the reason."""

    message_id: str
    body: str
    error: str
    receive_count: int


async def write(
    database: Database,
    tasks: Sequence[TaskState] = (),
    others: Sequence[OtherEvent] = (),
    rejects: Sequence[Reject] = (),
) -> None:
    """Writes a batch in one transaction. The higher version of a task wins.

    Raises `DatabaseDown` when the caller may retry, `DataRefused` when a value of the batch
    cannot be stored.
    """
    async with database.transaction() as transaction:
        writer = _Writer(transaction, database)
        await writer.tasks(tasks)
        # Each table in the order of its keys, so that two batches never deadlock.
        by_id = sorted((other.row for other in others), key=lambda row: row["event_id"])
        await writer.put("ecs_event", _EVENT, by_id)
        await writer.put(
            "ecs_container_instance",
            instance.COLUMNS,
            instance.newest(others),
            conflict="(container_instance_arn) DO UPDATE SET "
            f"{_assigned(instance.COLUMNS, 'container_instance_arn')} WHERE {instance.NEWER}",
        )
        by_message = sorted(map(_reject_row, rejects), key=lambda row: row["message_id"])
        await writer.put("ecs_event_reject", _REJECT, by_message)


async def learn_definition(
    database: Database, task_definition_arn: str, essential: Mapping[str, bool]
) -> None:
    """Stores which containers are essential, and sets the outcomes of the definition's tasks."""
    rows = [
        {"task_definition_arn": task_definition_arn, "name": name, "essential": flag}
        for name, flag in essential.items()
    ]
    async with database.transaction() as transaction:
        writer = _Writer(transaction, database)
        await writer.put("ecs_task_definition", _DEFINITION, rows)
        tasks = await transaction.fetch(UNDECIDED, arn=task_definition_arn)
        for start in range(0, len(tasks), JUDGED_AT_ONCE):
            await writer.judge([row["task_arn"] for row in tasks[start : start + JUDGED_AT_ONCE]])


_EVIDENCE = """
SELECT t.task_arn, t.stop_code, t.ended_outcome, c.exit_code, d.essential,
  coalesce(s.version, 0) AS stopped_in
FROM {arns} JOIN ecs_task t ON t.task_arn = b.task_arn
JOIN ecs_task_container c ON c.task_arn = t.task_arn AND c.version = t.version
LEFT JOIN ecs_container_stop s ON s.task_arn = c.task_arn AND s.name = c.name
LEFT JOIN ecs_task_definition d
  ON d.task_definition_arn = t.task_definition_arn AND d.name = c.name
WHERE t.last_status = 'STOPPED' ORDER BY t.task_arn
"""
# A reconciliation that sees a task clears its mark as gone.
_NEWER = """
excluded.version > ecs_task.version OR (excluded.version = ecs_task.version
  AND excluded.source = 'reconcile' AND ecs_task.gone_at IS NOT NULL)
"""


class _Writer:
    def __init__(self, transaction: Transaction, database: Database) -> None:
        self._transaction = transaction
        self._shown_url, self._dialect = database.shown_url, database.dialect

    async def tasks(self, states: Sequence[TaskState]) -> None:
        if not states:
            return
        ordered = _one_of_each(sorted(states, key=lambda state: (state.task_arn, state.version)))
        newest = {state.task_arn: state for state in ordered}
        await self.put("ecs_task_event", _HISTORY, (state.row for state in ordered))
        await self._newest([_with_outcome(state) for state in newest.values()])
        await self._containers(list(newest.values()))
        await self._stops(ordered)
        await self.judge(sorted({s.task_arn for s in ordered if len(s.containers) > 1}))

    async def put(
        self,
        table: str,
        columns: Mapping[str, str],
        rows: Iterable[Mapping[str, Any]],
        conflict: str = "DO NOTHING",
    ) -> None:
        """Inserts rows in one statement; `conflict` is its ON CONFLICT action."""
        given = [{name: row.get(name) for name in columns} for row in rows]
        if given:
            names = ", ".join(columns)
            await self._transaction.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {self._source(columns)} "
                f"WHERE TRUE ON CONFLICT {conflict}",
                rows=self._json(given),
            )

    async def _newest(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes the newest states, with their large details copied from the history."""
        names, picked = ", ".join(_COLUMNS), ", ".join(f"b.{name}" for name in _COLUMNS)
        await self._transaction.execute(
            f"INSERT INTO ecs_task ({names}, detail) SELECT {picked}, e.detail "
            f"FROM {self._source(_COLUMNS)} JOIN ecs_task_event e "
            "ON e.task_arn = b.task_arn AND e.version = b.version WHERE TRUE "
            "ORDER BY b.task_arn "  # a join may give another order, in which batches deadlock
            f"ON CONFLICT (task_arn) DO UPDATE SET {_assigned((*_COLUMNS, 'detail'), 'task_arn')}, "
            f"seen_at = {self._dialect.now}, gone_at = NULL WHERE {_NEWER}",
            rows=self._json([{name: row.get(name) for name in _COLUMNS} for row in rows]),
        )

    def _json(self, rows: Sequence[Mapping[str, Any]]) -> str:
        try:
            return json.dumps(rows, ensure_ascii=False)
        except RecursionError:
            raise DataRefused(self._shown_url, "it is nested too deep") from None

    async def _containers(self, newest: Sequence[TaskState]) -> None:
        rows = [
            {"task_arn": state.task_arn, "version": state.version, **container}
            for state in newest
            for container in state.containers
        ]
        names = ", ".join(_CONTAINER)
        picked = ", ".join(f"b.{name}" for name in _CONTAINER)
        if rows:  # the join keeps only containers of newest states
            await self._transaction.execute(
                f"INSERT INTO ecs_task_container ({names}) SELECT {picked} "
                f"FROM {self._source(_CONTAINER)} JOIN ecs_task t "
                "ON t.task_arn = b.task_arn AND t.version = b.version WHERE TRUE "
                f"ON CONFLICT (task_arn, name) DO UPDATE SET "
                f"{_assigned(_CONTAINER, 'task_arn', 'name')} "
                "WHERE excluded.version > ecs_task_container.version",
                rows=json.dumps(rows, ensure_ascii=False),
            )

    async def _stops(self, ordered: Sequence[TaskState]) -> None:
        first: dict[tuple[str, str], int] = {}
        for state in ordered:
            if len(state.containers) > 1:  # a single container was the first to stop
                for container in state.containers:
                    if container["last_status"] == STOPPED:
                        first.setdefault((state.task_arn, container["name"]), state.version)
        await self.put(
            "ecs_container_stop",
            _STOP,
            (
                {"task_arn": arn, "name": name, "version": version}
                for (arn, name), version in first.items()
            ),
            conflict="(task_arn, name) DO UPDATE SET version = excluded.version "
            "WHERE excluded.version < ecs_container_stop.version",
        )

    async def judge(self, arns: Sequence[str]) -> None:
        """Sets the outcomes of the stopped tasks among these, from their containers."""
        if not arns:
            return
        rows = await self._transaction.fetch(
            _EVIDENCE.format(arns=self._source({"task_arn": "text"})),
            rows=json.dumps([{"task_arn": arn} for arn in arns], ensure_ascii=False),
        )
        changed = []
        for arn, group in itertools.groupby(rows, key=lambda row: str(row["task_arn"])):
            evidence = list(group)
            outcome = outcome_of(evidence[0]["stop_code"], [_ended(row) for row in evidence])
            if outcome != evidence[0]["ended_outcome"]:
                changed.append({"task_arn": arn, "ended_outcome": outcome})
        if changed:
            columns = {"task_arn": "text", "ended_outcome": "text"}
            await self._transaction.execute(
                "UPDATE ecs_task SET ended_outcome = b.ended_outcome "
                f"FROM {self._source(columns)} WHERE b.task_arn = ecs_task.task_arn",
                rows=json.dumps(changed, ensure_ascii=False),
            )

    def _source(self, columns: Mapping[str, str]) -> str:
        """The value `:rows`, a JSON list of objects, as a table called b."""
        return self._dialect.as_table(columns)


def _one_of_each(ordered: Sequence[TaskState]) -> list[TaskState]:
    """A single state for each task and version: the first, which the history also keeps."""
    kept: dict[tuple[str, int], TaskState] = {}
    for state in ordered:
        first = kept.setdefault((state.task_arn, state.version), state)
        if first.row["detail"] != state.row["detail"]:
            facts = {"task": state.task_arn, "version": state.version}
            log.warning("two states with one version, the first is kept", extra=facts)
    return list(kept.values())


def _with_outcome(state: TaskState) -> Mapping[str, Any]:
    """A task's columns, with its outcome if this state alone determines the outcome."""
    if state.row["last_status"] != STOPPED or len(state.containers) > 1:
        return state.row
    ended = [
        EndedContainer(exit_code=container["exit_code"], essential=True)
        for container in state.containers
    ]
    return {**state.row, "ended_outcome": outcome_of(state.row["stop_code"], ended)}


def _ended(row: Row) -> EndedContainer:
    return EndedContainer(
        exit_code=row["exit_code"],
        essential=None if row["essential"] is None else bool(row["essential"]),
        stopped_in=row["stopped_in"],
    )


def _assigned(columns: Iterable[str], *keys: str) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)


def _reject_row(reject: Reject) -> dict[str, Any]:
    # Escapes replace characters that no database stores.
    body = reject.body.encode(errors="backslashreplace").decode().replace("\0", "\\0")
    return {
        "message_id": reject.message_id,
        "body": body,
        "error": reject.error.encode(errors="backslashreplace").decode().replace("\0", "\\0"),
        "receive_count": reject.receive_count,
    }
