-- The newest state of every task.
CREATE TABLE ecs_task (
  task_arn text PRIMARY KEY,
  task_id text NOT NULL,               -- the last part of its ARN
  cluster_arn text,
  cluster text,                        -- the name alone
  task_definition_arn text,
  family text,
  revision integer,
  launch_type text,
  capacity_provider text,
  availability_zone text,
  container_instance_arn text,         -- none on Fargate
  started_by text,
  task_group text,
  last_status text NOT NULL,
  desired_status text,
  stop_code text,
  stopped_reason text,
  created_at timestamptz,
  started_at timestamptz,
  stopped_at timestamptz,
  version bigint NOT NULL,
  source text NOT NULL,                -- event or reconcile
  seen_at timestamptz NOT NULL DEFAULT now(),
  gone_at timestamptz,                 -- when ECS was found to know it no longer
  ended_outcome text,                  -- of a stopped task; see watchbot/task_outcome.py
  detail jsonb NOT NULL,               -- all that ECS said, fields we do not know included
  run_range tstzrange GENERATED ALWAYS AS (
    CASE WHEN started_at IS NULL THEN NULL
         WHEN coalesce(stopped_at, gone_at) IS NULL THEN tstzrange(started_at, NULL, '[)')
         ELSE tstzrange(started_at, greatest(started_at, coalesce(stopped_at, gone_at)), '[]')
    END) STORED);
CREATE INDEX ecs_task_id ON ecs_task (task_id);
CREATE INDEX ecs_task_active ON ecs_task (started_at DESC, task_arn)
  WHERE last_status <> 'STOPPED' AND gone_at IS NULL;
CREATE INDEX ecs_task_stopped ON ecs_task (stopped_at) INCLUDE (family, ended_outcome);
CREATE INDEX ecs_task_started ON ecs_task (started_at DESC, task_arn);
CREATE INDEX ecs_task_run ON ecs_task USING gist (run_range);
CREATE INDEX ecs_task_family ON ecs_task (family, started_at DESC);
CREATE INDEX ecs_task_started_by ON ecs_task (started_by);

-- Every state that was seen. (tx, seq) is the order for whoever follows the changes.
CREATE TABLE ecs_task_event (
  task_arn text NOT NULL,
  version bigint NOT NULL,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  tx bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
  event_id text,
  event_time timestamptz NOT NULL,
  source text NOT NULL,
  last_status text NOT NULL,
  desired_status text,
  received_at timestamptz NOT NULL DEFAULT now(),
  detail jsonb NOT NULL,
  PRIMARY KEY (task_arn, version));
CREATE INDEX ecs_task_event_order ON ecs_task_event (tx, seq);
CREATE INDEX ecs_task_event_received ON ecs_task_event (received_at);

CREATE TABLE ecs_task_container (
  task_arn text NOT NULL,
  name text NOT NULL,
  version bigint NOT NULL,             -- of the task, when this was written
  container_arn text,
  last_status text,
  exit_code integer,                   -- NULL: none was reported; that is not 0
  reason text,
  image text,
  image_digest text,
  PRIMARY KEY (task_arn, name));

-- The lowest version in which a container was seen stopped, of tasks with several.
CREATE TABLE ecs_container_stop (
  task_arn text NOT NULL, name text NOT NULL, version bigint NOT NULL,
  PRIMARY KEY (task_arn, name));

-- Which containers are essential, as DescribeTaskDefinition said.
CREATE TABLE ecs_task_definition (
  task_definition_arn text NOT NULL, name text NOT NULL, essential boolean NOT NULL,
  PRIMARY KEY (task_definition_arn, name));

-- Events of other kinds: services, deployments, container instances, and what is yet unknown.
CREATE TABLE ecs_event (
  event_id text PRIMARY KEY,
  detail_type text NOT NULL,
  event_time timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  event jsonb NOT NULL);
CREATE INDEX ecs_event_received ON ecs_event (received_at);

-- Messages that nobody can read; deleted from the queue, so that they do not come again.
CREATE TABLE ecs_event_reject (
  message_id text PRIMARY KEY,
  body text NOT NULL,
  error text NOT NULL,
  receive_count integer NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ecs_event_reject_received ON ecs_event_reject (received_at);

CREATE TABLE ecs_reconciliation (
  cluster_arn text PRIMARY KEY, reconciled_at timestamptz NOT NULL, tasks integer NOT NULL);

-- The answers. All tasks, with their outcome:
CREATE VIEW ecs_task_outcome AS
SELECT t.*, coalesce(t.stopped_at, t.gone_at) AS ended_at, CASE
  WHEN t.last_status = 'STOPPED' THEN coalesce(t.ended_outcome, 'unknown')
  WHEN t.gone_at IS NOT NULL THEN 'lost'
  ELSE 'active' END AS outcome
FROM ecs_task t;

-- What runs now:
CREATE VIEW ecs_task_running AS
SELECT * FROM ecs_task_outcome WHERE last_status = 'RUNNING' AND gone_at IS NULL;

-- Tasks of which events are missing: ECS counts versions up by one.
CREATE VIEW ecs_task_missed AS
SELECT e.task_arn, min(e.version) AS first_version, max(e.version) AS last_version,
  count(*) AS seen,
  max(e.version) - count(*) - CASE
    WHEN t.created_at >= (SELECT min(received_at) FROM ecs_task_event) THEN 0
    ELSE min(e.version) - 1 END AS missed
FROM ecs_task_event e JOIN ecs_task t ON t.task_arn = e.task_arn
WHERE e.version > 0
GROUP BY e.task_arn, t.created_at
HAVING max(e.version) - count(*) > CASE
    WHEN t.created_at >= (SELECT min(received_at) FROM ecs_task_event) THEN 0
    ELSE min(e.version) - 1 END;
