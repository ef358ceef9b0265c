"""Fills a record with many tasks: a statement of SQL makes them up, in SQLite and in PostgreSQL."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psycopg

AT_ONCE = 50_000  # tasks of one statement

_TASKS = """
INSERT INTO ecs_task (task_arn, task_id, cluster_arn, cluster, task_definition_arn, family,
  revision, launch_type, started_by, task_group, last_status, desired_status, stop_code,
  stopped_reason, created_at, started_at, stopped_at, version, source, ended_outcome, detail)
SELECT 'arn:aws:ecs:eu-west-1:123456789012:task/blue/' || id, id,
  'arn:aws:ecs:eu-west-1:123456789012:cluster/blue', 'blue',
  'arn:aws:ecs:eu-west-1:123456789012:task-definition/' || family || ':1',
  family, 1, 'FARGATE', 'watchbot-schedule', 'family:' || family,
  CASE WHEN ended THEN 'STOPPED' ELSE 'RUNNING' END, CASE WHEN ended THEN 'STOPPED' END,
  CASE WHEN ended THEN 'EssentialContainerExited' END,
  CASE WHEN ended THEN 'Essential container in task exited' END,
  created_at, started_at, CASE WHEN ended THEN stopped_at END, :history, 'event',
  CASE WHEN ended THEN CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'success' END END, {task_detail}
FROM {made}
"""
_HISTORY = """
INSERT INTO ecs_task_event (task_arn, version, event_time, source, last_status, desired_status,
  received_at, detail)
SELECT 'arn:aws:ecs:eu-west-1:123456789012:task/blue/' || id, v, started_at, 'event', 'RUNNING',
  'RUNNING', started_at, {state_detail}
FROM {made}, {versions} WHERE NOT (n % :lost = 0 AND v = 2)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """The tasks that are made up.

    Task 1 is the youngest, and each starts `step_s` seconds before the one that follows it. The
    first `running` have not ended; others ran 1 to 60 minutes. Of every `lost`-th the second of its
    `history` states is missing, and every tenth failed.
    """

    tasks: int
    step_s: float
    history: int = 6
    running: int = 100
    families: int = 50
    lost: int = 1000
    younger: int = 0  # tasks that are there already


def _nothing() -> None:
    pass


def fill(url: str, many: Many, between: Callable[[], None] = _nothing) -> None:
    """Stores them in the database at `url`, the oldest first; calls `between` now and then."""
    run = _sqlite if url.startswith("sqlite") else _postgres
    run(url, many, between)


def _sqlite(url: str, many: Many, between: Callable[[], None]) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")

    def time(seconds: str) -> str:
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', -(n * :step_s - {seconds}) || ' seconds')"

    made = f"""
    (WITH RECURSIVE numbers(n) AS
       (SELECT :last UNION ALL SELECT n - 1 FROM numbers WHERE n > :first)
     SELECT n, printf('%08x%024x', (n * 2654435761) % 4294967296, n) AS id,
       'family-' || (n % :families) AS family, n > :running AS ended, {time("-30")} AS created_at,
       {time("0")} AS started_at, {time("60 * (1 + n % 60)")} AS stopped_at FROM numbers) AS made
    """
    details = {
        "task_detail": "json_object('taskArn', id, 'more', replace(hex(zeroblob(8)), '00', id))",
        "state_detail": "json_object('version', v, 'more', replace(hex(zeroblob(2)), '00', id))",
        "versions": "(WITH RECURSIVE versions(v) AS (SELECT 1 UNION ALL SELECT v + 1 "
        "FROM versions WHERE v < :history) SELECT v FROM versions) AS versions",
    }

    def execute(sql: str, values: Mapping[str, float]) -> None:
        connection.execute(sql.format(made=made, **details), values)

    _in_parts(execute, many, between)
    connection.close()


def _postgres(url: str, many: Many, between: Callable[[], None]) -> None:
    def time(seconds: str) -> str:
        return f"now() - (n * :step_s - ({seconds})) * interval '1 s'"

    made = f"""
    (SELECT n, md5(n::text) AS id, 'family-' || n % :families AS family, n > :running AS ended,
       {time("-30")} AS created_at, {time("0")} AS started_at, {time("60 * (1 + n % 60)")}
       AS stopped_at FROM generate_series(:last::bigint, :first, -1) n) AS made
    """
    details = {
        "task_detail": "jsonb_build_object('taskArn', id, 'more', repeat(id, 16))",
        "state_detail": "jsonb_build_object('version', v, 'more', repeat(id, 4))",
        "versions": "generate_series(1, :history) v",
    }
    with psycopg.connect(url, autocommit=True) as connection:

        def execute(sql: str, values: Mapping[str, float]) -> None:
            text = sql.format(made=made, **details).replace("%", "%%")
            for name in values:
                text = text.replace(f":{name}", f"%({name})s")
            connection.execute(text.encode(), values)

        _in_parts(execute, many, between)
        connection.execute("VACUUM ANALYZE")  # as autovacuum does within minutes


def _in_parts(
    execute: Callable[[str, Mapping[str, float]], None], many: Many, between: Callable[[], None]
) -> None:
    oldest = many.younger + many.tasks
    for last in range(oldest, many.younger, -AT_ONCE):
        first = max(last - AT_ONCE, many.younger) + 1
        values = {
            "first": first,
            "last": last,
            "step_s": many.step_s,
            "history": many.history,
            "running": many.running,
            "families": many.families,
            "lost": many.lost,
        }
        for sql in (_TASKS, _HISTORY):
            execute(sql, values)
        between()
