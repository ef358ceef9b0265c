-- oldest program: 1
-- Indexes for millions of tasks. They are built from the rows that are there, while writers wait.
CREATE INDEX ecs_task_unknown ON ecs_task (task_definition_arn) WHERE ended_outcome = 'unknown';
CREATE INDEX ecs_task_failed ON ecs_task (stopped_at DESC, task_arn)
  WHERE ended_outcome IN ('failed', 'failed_to_start', 'interrupted');
CREATE INDEX ecs_task_ended ON ecs_task ((coalesce(stopped_at, gone_at)));
