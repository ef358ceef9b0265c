"""The queries behind `watchbot tasks`, the API and the page: each question is written once."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from watchbot.errors import UsageError
from watchbot.moment import to_text
from watchbot.record.paging import FIRST, Page
from watchbot.sql.database import Database
from watchbot.sql.dialect import Row
from watchbot.task_outcome import FAILURES

_LISTED = (
    "task_arn, task_id, cluster, family, revision, outcome, last_status, started_at, ended_at, "
    "created_at, stop_code, stopped_reason, started_by, task_group, launch_type"
)
BY = ("day", "hour", "family")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Filters on tasks; None leaves a filter out."""

    cluster: str | None = None
    family: str | None = None
    group: str | None = None
    started_by: str | None = None
    service: str | None = None

    def conditions(self, written: Callable[[str], str] = str) -> tuple[str, dict[str, Any]]:
        """SQL to append to a WHERE, and its values; `written` gives a column as SQL."""
        wanted = {
            "cluster": self.cluster and self.cluster.rpartition("/")[2],
            "family": self.family,
            "task_group": f"service:{self.service}" if self.service else self.group,
            "started_by": self.started_by,
        }
        values = {name: value for name, value in wanted.items() if value}
        return "".join(f" AND {written(name)} = :{name}" for name in values), values

    @property
    def counted(self) -> bool:
        """Whether `ecs_task_day` can answer: it counts by cluster and family."""
        return not (self.group or self.service or self.started_by)


ALL = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A task, its containers, and every state of it that was seen, oldest first."""

    task: Row
    containers: Sequence[Row] = field(default_factory=list)
    events: Sequence[Row] = field(default_factory=list)


async def running(database: Database, filters: Filters = ALL, page: Page = FIRST) -> list[Row]:
    """The tasks that run now, latest start first."""
    more, chosen = filters.conditions(database.dialect.unindexed)
    return await database.fetch(
        f"SELECT {_LISTED} FROM ecs_task_outcome WHERE last_status = 'RUNNING' AND gone_at IS NULL"
        f"{more}{page.behind()} {_LATEST_FIRST} LIMIT :size OFFSET :skip",
        **chosen,
        **await _place(database, page),
        **page.window,
    )


async def count_running(database: Database, filters: Filters = ALL) -> int:
    """The number of tasks that run now."""
    more, chosen = filters.conditions(database.dialect.unindexed)
    (row,) = await database.fetch(
        f"SELECT count(*) AS tasks FROM ecs_task_running WHERE 1 = 1{more}", **chosen
    )
    return int(row["tasks"])


async def at(
    database: Database, moment: datetime, filters: Filters = ALL, page: Page = FIRST
) -> list[Row]:
    """The tasks that ran at `moment`, latest start first."""
    ran, chosen = _ran_at(database, filters, page)
    return await database.fetch(
        f"{ran} LIMIT :size OFFSET :skip",
        at=to_text(moment),
        **chosen,
        **await _place(database, page),
        **page.window,
    )


async def between(
    database: Database, span: tuple[datetime, datetime], filters: Filters = ALL, page: Page = FIRST
) -> list[Row]:
    """The tasks that ran at any time of the span, latest start first."""
    # Those that started in it, and those that ran when it began: each part reads its own index,
    # and nothing that was over by then, however few tasks ran in the span.
    more, chosen = filters.conditions()
    started = (
        f"SELECT {_LISTED} FROM ecs_task_outcome "
        f"WHERE started_at > :at AND started_at <= :until{more}{page.behind()} {_LATEST_FIRST}"
    )
    by_then = f" AND {database.dialect.unindexed('started_at')} <= :until"
    ran, _ = _ran_at(database, filters, page, by_then)
    parts = " UNION ALL ".join(
        f"SELECT {_LISTED} FROM ({part} LIMIT :most) AS part" for part in (started, ran)
    )
    return await database.fetch(
        f"{parts} {_LATEST_FIRST} LIMIT :size OFFSET :skip",
        at=to_text(span[0]),
        until=to_text(span[1]),
        **chosen,
        **await _place(database, page),
        most=page.size * (page.number + 1),
        **page.window,
    )


_LATEST_FIRST = "ORDER BY started_at DESC, task_arn"


def _ran_at(
    database: Database, filters: Filters, page: Page, more: str = ""
) -> tuple[str, dict[str, Any]]:
    """A query for the tasks that ran at the time `:at`, and the values of its filters."""
    dialect = database.dialect
    chosen, values = filters.conditions(dialect.unindexed)
    ran = dialect.contains("run_range", "started_at", "ended_at")
    # Few ran at one time: it is cheaper to sort them than to read all tasks in their order.
    started = dialect.unindexed("started_at")
    return (
        f"SELECT {_LISTED} FROM ecs_task_outcome WHERE {ran}{chosen}{more}"
        f"{page.behind(started)} ORDER BY {started} DESC, task_arn"
    ), values


async def _place(database: Database, page: Page) -> dict[str, str]:
    """The values for `Page.behind`. Raises `UsageError` for a task that is not in the record."""
    if page.after is None:
        return {}
    task = await find(database, page.after)
    if task is None:
        raise unknown(page.after)
    return {"after": task["task_arn"]}


def unknown(task: str) -> UsageError:
    """The error for the name of a task that is not in the record."""
    return UsageError(f"no task {task[:200]!r} is in the record; check its ARN or id")


async def failures(
    database: Database, since: datetime, by: str = "day", filters: Filters = ALL
) -> list[Row]:
    """Counts the tasks that ended since `since`, and those that failed, by day, hour or family."""
    # The tasks of whole days are counted already; those of the first day are counted now.
    summed = by != "hour" and filters.counted
    first_day = since.astimezone(UTC).date().isoformat()
    counts, chosen = _counted_now(database, by, filters, ended_by=":midnight" if summed else None)
    values = {"since": to_text(since), **chosen}
    if summed:
        more, _ = filters.conditions()
        counts += f" UNION ALL SELECT {by}, failed, ended FROM ecs_task_day WHERE day > :day{more}"
        values |= {"day": first_day, "midnight": f"{first_day}T24:00:00.000Z"}
    return await database.fetch(
        f"SELECT {by}, CAST(sum(failed) AS bigint) AS failed, CAST(sum(ended) AS bigint) AS ended "
        f"FROM ({counts}) AS counted GROUP BY {by} HAVING sum(ended) > 0 ORDER BY {by}",
        **values,
    )


def _counted_now(
    database: Database, by: str, filters: Filters, ended_by: str | None
) -> tuple[str, dict[str, Any]]:
    """A query that counts rows of ecs_task, and the values of its filters."""
    dialect = database.dialect
    more, chosen = filters.conditions(dialect.unindexed)
    # Not the bare column: SQLite would read all tasks in its order, instead of the newest.
    bucket, written = "family || ''", "bucket"
    if by != "family":
        bucket, written = dialect.start_of(by, "stopped_at"), dialect.shown_start(by, "bucket")
    failed = ", ".join(f"'{name}'" for name in FAILURES)
    until = f" AND stopped_at < {ended_by}" if ended_by else ""
    return (
        f"SELECT {written} AS {by}, failed, ended FROM (SELECT {bucket} AS bucket, "
        f"sum(CASE WHEN ended_outcome IN ({failed}) THEN 1 ELSE 0 END) AS failed, "
        f"count(*) AS ended FROM ecs_task WHERE stopped_at >= :since{until}{more} "
        "GROUP BY 1) AS latest"
    ), chosen


async def failed(
    database: Database, since: datetime, filters: Filters = ALL, page: Page = FIRST
) -> list[Row]:
    """The tasks that failed since `since`, the last first.

    `exit_code` is the highest of a task's containers, `container_reason` what one of them said.
    """
    more, chosen = filters.conditions(database.dialect.unindexed)
    outcomes = ", ".join(f"'{name}'" for name in FAILURES)
    of_it = "FROM ecs_task_container c WHERE c.task_arn = t.task_arn AND c.version = t.version"
    return await database.fetch(
        f"SELECT {_LISTED}, (SELECT max(c.exit_code) {of_it}) AS exit_code, "
        f"(SELECT max(c.reason) {of_it}) AS container_reason FROM ecs_task_outcome t "
        f"WHERE stopped_at >= :since AND ended_outcome IN ({outcomes}){more}"
        f"{page.behind('stopped_at')} "
        "ORDER BY stopped_at DESC, task_arn LIMIT :size OFFSET :skip",
        since=to_text(since),
        **chosen,
        **await _place(database, page),
        **page.window,
    )


async def find(database: Database, name: str) -> Row | None:
    """The task with this ARN, or with this id as the last part of its ARN; or None."""
    rows = await database.fetch(
        f"SELECT {_LISTED}, cluster_arn, task_definition_arn, container_instance_arn, version, "
        "source, seen_at, gone_at, detail FROM ecs_task_outcome "
        "WHERE task_id = :id AND (task_arn = :name OR task_id = :name)",
        id=name.rpartition("/")[2],
        name=name,
    )
    return rows[0] if rows else None


async def history(database: Database, name: str) -> History | None:
    """The history of a task; None if the record does not know it."""
    task = await find(database, name)
    if task is None:
        return None
    containers = await database.fetch(
        "SELECT name, last_status, exit_code, reason, image, image_digest "
        "FROM ecs_task_container WHERE task_arn = :arn AND version = :version ORDER BY name",
        arn=task["task_arn"],
        version=task["version"],
    )
    events = await database.fetch(
        "SELECT version, event_time, last_status, desired_status, source, received_at "
        "FROM ecs_task_event WHERE task_arn = :arn ORDER BY version",
        arn=task["task_arn"],
    )
    return History(task=task, containers=containers, events=events)


async def missed(database: Database, page: Page = FIRST) -> list[Row]:
    """The tasks with missing events, most missing events first."""
    return await database.fetch(
        "SELECT * FROM ecs_task_missed ORDER BY missed DESC, task_arn LIMIT :size OFFSET :skip",
        **page.window,
    )


async def instances(database: Database, page: Page = FIRST) -> list[Row]:
    """The container instances, by cluster: state, tasks, and capacity in CPU units and MiB."""
    rows = await database.fetch(
        "SELECT container_instance_arn, cluster, ec2_instance_id, status, agent_connected, "
        "running_tasks, pending_tasks, registered_cpu, remaining_cpu, registered_memory, "
        "remaining_memory, event_time FROM ecs_container_instance "
        "ORDER BY cluster, container_instance_arn LIMIT :size OFFSET :skip",
        **page.window,
    )
    for row in rows:  # SQLite has no booleans
        known = row["agent_connected"] is not None
        row["agent_connected"] = bool(row["agent_connected"]) if known else None
    return rows


async def rejects(database: Database, page: Page = FIRST) -> list[Row]:
    """The messages that could not be read, the last first, and why."""
    return await database.fetch(
        "SELECT received_at, message_id, receive_count, error, body FROM ecs_event_reject "
        "ORDER BY received_at DESC, message_id LIMIT :size OFFSET :skip",
        **page.window,
    )


async def newest(database: Database) -> tuple[int, int]:
    """The position of the latest change, for `changes`; (0, 0) when there is none."""
    rows = await database.fetch(
        f"SELECT tx, seq FROM ecs_task_event WHERE {database.dialect.final} "
        "ORDER BY tx DESC, seq DESC LIMIT 1"
    )
    return (rows[0]["tx"], rows[0]["seq"]) if rows else (0, 0)


async def changes(database: Database, position: tuple[int, int], most: int) -> list[Row]:
    """The changes after a position, oldest first, at most `most`; `tx` and `seq` are its own."""
    return await database.fetch(
        "SELECT tx, seq, task_arn, version, event_time, last_status, desired_status, source "
        f"FROM ecs_task_event WHERE (tx, seq) > (:tx, :seq) AND {database.dialect.final} "
        "ORDER BY tx, seq LIMIT :most",
        tx=position[0],
        seq=position[1],
        most=most,
    )


async def reconciled_at(database: Database) -> str | None:
    """The oldest of the clusters' last reconciliations; None before the first."""
    (row,) = await database.fetch("SELECT min(reconciled_at) AS at FROM ecs_reconciliation")
    moment: str | None = row["at"]
    return moment


def moment(text: str, now: datetime) -> datetime:
    """Reads a time that a person typed: ISO 8601 (UTC without a zone), or an age: 90s, 5m, 2h, 7d.

    Raises `UsageError`.
    """
    ago = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    try:
        if ago:
            unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
            return now - timedelta(**{unit[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text[:40]!r} is no time; write a time like 2026-11-21T03:47Z, or an age like 2h"
        ) from None
