-- oldest program: 3
-- Summaries for millions of tasks. Triggers keep them, so an older program keeps them, too.
-- They are made from the rows that are there, while writers wait.

-- How many tasks ended on a day (UTC), and failed: the sum of the rows of that day.
CREATE TABLE ecs_task_day (
  seq integer PRIMARY KEY AUTOINCREMENT,
  day text NOT NULL, cluster text, family text,
  ended integer NOT NULL, failed integer NOT NULL,   -- less than 0: a task was changed or deleted
  fresh integer NOT NULL DEFAULT 1);                 -- 0: the sum of rows that were there
CREATE INDEX ecs_task_day_day ON ecs_task_day (day);
CREATE INDEX ecs_task_day_fresh ON ecs_task_day (day) WHERE fresh = 1;

CREATE TRIGGER ecs_task_day_insert AFTER INSERT ON ecs_task WHEN NEW.stopped_at IS NOT NULL
BEGIN
  INSERT INTO ecs_task_day (day, cluster, family, ended, failed) VALUES (
    substr(NEW.stopped_at, 1, 10), NEW.cluster, NEW.family, 1,
    coalesce(NEW.ended_outcome IN ('failed', 'failed_to_start', 'interrupted'), 0));
END;
CREATE TRIGGER ecs_task_day_update AFTER UPDATE ON ecs_task
WHEN (OLD.stopped_at, OLD.cluster, OLD.family, OLD.ended_outcome)
  IS NOT (NEW.stopped_at, NEW.cluster, NEW.family, NEW.ended_outcome)
BEGIN
  INSERT INTO ecs_task_day (day, cluster, family, ended, failed)
  SELECT substr(OLD.stopped_at, 1, 10), OLD.cluster, OLD.family, -1,
    -coalesce(OLD.ended_outcome IN ('failed', 'failed_to_start', 'interrupted'), 0)
  WHERE OLD.stopped_at IS NOT NULL
  UNION ALL SELECT substr(NEW.stopped_at, 1, 10), NEW.cluster, NEW.family, 1,
    coalesce(NEW.ended_outcome IN ('failed', 'failed_to_start', 'interrupted'), 0)
  WHERE NEW.stopped_at IS NOT NULL;
END;
CREATE TRIGGER ecs_task_day_delete AFTER DELETE ON ecs_task WHEN OLD.stopped_at IS NOT NULL
BEGIN
  INSERT INTO ecs_task_day (day, cluster, family, ended, failed) VALUES (
    substr(OLD.stopped_at, 1, 10), OLD.cluster, OLD.family, -1,
    -coalesce(OLD.ended_outcome IN ('failed', 'failed_to_start', 'interrupted'), 0));
END;
INSERT INTO ecs_task_day (day, cluster, family, ended, failed, fresh)
SELECT substr(stopped_at, 1, 10), cluster, family, count(*),
  count(*) FILTER (WHERE ended_outcome IN ('failed', 'failed_to_start', 'interrupted')), 0
FROM ecs_task WHERE stopped_at IS NOT NULL GROUP BY 1, 2, 3;

-- Each state that came while the one before it was not there. It may have come since.
CREATE TABLE ecs_task_gap (
  task_arn text NOT NULL, version integer NOT NULL, PRIMARY KEY (task_arn, version));

CREATE TRIGGER ecs_task_gap_insert AFTER INSERT ON ecs_task_event
WHEN NEW.version > 1 AND NOT EXISTS (SELECT 1 FROM ecs_task_event e
  WHERE e.task_arn = NEW.task_arn AND e.version = NEW.version - 1)
BEGIN
  INSERT INTO ecs_task_gap (task_arn, version) VALUES (NEW.task_arn, NEW.version) ON CONFLICT DO NOTHING;
END;
INSERT INTO ecs_task_gap (task_arn, version)
SELECT task_arn, version FROM (
  SELECT task_arn, version, lag(version) OVER (PARTITION BY task_arn ORDER BY version) AS previous
  FROM ecs_task_event WHERE version > 0) AS states
WHERE version > 1 AND previous IS NOT version - 1;

DROP VIEW ecs_task_missed;
CREATE VIEW ecs_task_missed AS
SELECT e.task_arn, min(e.version) AS first_version, max(e.version) AS last_version,
  count(*) AS seen,
  max(e.version) - count(*) - CASE
    WHEN t.created_at >= (SELECT min(received_at) FROM ecs_task_event) THEN 0
    ELSE min(e.version) - 1 END AS missed
FROM ecs_task_event e JOIN ecs_task t ON t.task_arn = e.task_arn
WHERE e.version > 0 AND e.task_arn IN (SELECT task_arn FROM ecs_task_gap)
GROUP BY e.task_arn, t.created_at
HAVING max(e.version) - count(*) > CASE
    WHEN t.created_at >= (SELECT min(received_at) FROM ecs_task_event) THEN 0
    ELSE min(e.version) - 1 END;

-- Finds tasks of a caller, the latest first, whether it started few or nearly all.
-- It makes ecs_task_started_by useless, which a later migration may drop.
CREATE INDEX ecs_task_caller ON ecs_task (started_by, started_at DESC);
