-- oldest program: 1
-- The newest state of every container instance, as far as events told it.
CREATE TABLE ecs_container_instance (
  container_instance_arn text PRIMARY KEY,
  cluster text,                        -- the name alone
  ec2_instance_id text,                -- none for an external instance
  status text,                         -- ACTIVE, DRAINING, INACTIVE and others
  agent_connected boolean,
  running_tasks bigint,
  pending_tasks bigint,
  registered_cpu bigint,                   -- units, 1,024 of a processor
  remaining_cpu bigint,
  registered_memory bigint,                -- MiB
  remaining_memory bigint,
  version bigint NOT NULL,
  event_time timestamptz NOT NULL);
