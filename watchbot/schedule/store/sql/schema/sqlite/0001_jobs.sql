-- What is started, and when.
CREATE TABLE schedule_job (
  id text PRIMARY KEY,
  generation integer NOT NULL,          -- one higher with each change
  fields text NOT NULL,                -- JSON, as it was written
  source text,                         -- the table it is kept in step with; none: the API
  source_fields text,                  -- JSON: what that table said last
  note text,                           -- why it is paused
  created_at text NOT NULL,
  next_fire_at text,            -- none: it is paused, or over
  failures integer NOT NULL DEFAULT 0, -- runs that failed, in a row
  last_run_at text,
  last_run_tasks text NOT NULL DEFAULT '[]');
CREATE INDEX schedule_job_due ON schedule_job (next_fire_at) WHERE next_fire_at IS NOT NULL;

-- The ledger: a row for every time that a job was due, whatever came of it. Its key is what keeps
-- two replicas from starting the same run.
CREATE TABLE schedule_run (
  job_id text NOT NULL,
  due_at text NOT NULL,
  cause text NOT NULL,                 -- schedule, manual or backfill
  generation integer NOT NULL,          -- of the job, when this was written
  job text NOT NULL,                   -- JSON: the job as it was then
  status text NOT NULL,
  reason text,
  wake_at text,                 -- when somebody may work at it; none: it is over
  owner text,                          -- who works at it until then
  attempts integer NOT NULL DEFAULT 0,
  wanted integer,                      -- tasks to start; none: not counted yet
  call text,                           -- JSON: the call of RunTask that is under way
  tasks text NOT NULL DEFAULT '[]',    -- JSON: those that were started
  failures text NOT NULL DEFAULT '[]', -- JSON: what ECS said of those that were not
  created_at text NOT NULL,
  started_at text,
  outcome text,                        -- of its tasks; none: not looked at
  look_at text,                 -- when to look at its tasks; none: that is over
  PRIMARY KEY (job_id, due_at, cause));
CREATE INDEX schedule_run_wake ON schedule_run (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX schedule_run_look ON schedule_run (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX schedule_run_created ON schedule_run (created_at);
