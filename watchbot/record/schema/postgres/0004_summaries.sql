-- oldest program: 3
-- Summaries for millions of tasks. Triggers keep them, so an older program keeps them, too.
-- They are made from the rows that are there, while writers wait.

-- In the order in which writers take them, so that none waits for us while we wait for it.
LOCK TABLE ecs_task_event IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE ecs_task IN SHARE ROW EXCLUSIVE MODE;

-- How many tasks ended on a day (UTC), and failed: the sum of the rows of that day.
CREATE TABLE ecs_task_day (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  day text NOT NULL, cluster text, family text,
  ended bigint NOT NULL, failed bigint NOT NULL,   -- less than 0: a task was changed or deleted
  fresh integer NOT NULL DEFAULT 1);                 -- 0: the sum of rows that were there
CREATE INDEX ecs_task_day_day ON ecs_task_day (day);
CREATE INDEX ecs_task_day_fresh ON ecs_task_day (day) WHERE fresh = 1;

CREATE FUNCTION ecs_task_day_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.stopped_at IS NOT NULL THEN
    INSERT INTO ecs_task_day (day, cluster, family, ended, failed) VALUES (
      to_char(OLD.stopped_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), OLD.cluster, OLD.family, -1,
      -coalesce((OLD.ended_outcome IN ('failed', 'failed_to_start', 'interrupted'))::int, 0));
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.stopped_at IS NOT NULL THEN
    INSERT INTO ecs_task_day (day, cluster, family, ended, failed) VALUES (
      to_char(NEW.stopped_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), NEW.cluster, NEW.family, 1,
      coalesce((NEW.ended_outcome IN ('failed', 'failed_to_start', 'interrupted'))::int, 0));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ecs_task_day_insert AFTER INSERT ON ecs_task FOR EACH ROW
  WHEN (NEW.stopped_at IS NOT NULL) EXECUTE FUNCTION ecs_task_day_count();
CREATE TRIGGER ecs_task_day_update AFTER UPDATE ON ecs_task FOR EACH ROW
  WHEN ((OLD.stopped_at, OLD.cluster, OLD.family, OLD.ended_outcome)
    IS DISTINCT FROM (NEW.stopped_at, NEW.cluster, NEW.family, NEW.ended_outcome))
  EXECUTE FUNCTION ecs_task_day_count();
CREATE TRIGGER ecs_task_day_delete AFTER DELETE ON ecs_task FOR EACH ROW
  WHEN (OLD.stopped_at IS NOT NULL) EXECUTE FUNCTION ecs_task_day_count();
INSERT INTO ecs_task_day (day, cluster, family, ended, failed, fresh)
SELECT to_char(day, 'YYYY-MM-DD'), cluster, family, ended, failed, 0 FROM (
  SELECT date_trunc('day', stopped_at AT TIME ZONE 'UTC') AS day, cluster, family,
    count(*) AS ended, count(*) FILTER (
      WHERE ended_outcome IN ('failed', 'failed_to_start', 'interrupted')) AS failed
  FROM ecs_task WHERE stopped_at IS NOT NULL GROUP BY 1, 2, 3) AS counted;

-- Each state that came while the one before it was not there. It may have come since.
CREATE TABLE ecs_task_gap (
  task_arn text NOT NULL, version bigint NOT NULL, PRIMARY KEY (task_arn, version));

CREATE FUNCTION ecs_task_gap_find() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ecs_task_gap (task_arn, version) SELECT a.task_arn, a.version FROM added a
  WHERE a.version > 1 AND NOT EXISTS (SELECT FROM ecs_task_event e
    WHERE e.task_arn = a.task_arn AND e.version = a.version - 1)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER ecs_task_gap_insert AFTER INSERT ON ecs_task_event
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ecs_task_gap_find();
INSERT INTO ecs_task_gap (task_arn, version)
SELECT task_arn, version FROM (
  SELECT task_arn, version, lag(version) OVER (PARTITION BY task_arn ORDER BY version) AS previous
  FROM ecs_task_event WHERE version > 0) AS states
WHERE version > 1 AND previous IS DISTINCT FROM version - 1;

CREATE OR REPLACE VIEW ecs_task_missed AS
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
-- It makes ecs_task_started_by useless. A later migration may drop that: it would wait here for
-- whoever deletes tasks, who would wait for us.
CREATE INDEX ecs_task_caller ON ecs_task (started_by, started_at DESC);
