-- Why a run that somebody works at is to end without starting more; none: it goes on.
ALTER TABLE schedule_run ADD COLUMN called_off text;
-- Of a run of a backfill: how many of them may be under way at once.
ALTER TABLE schedule_run ADD COLUMN concurrency integer;
CREATE INDEX schedule_run_open ON schedule_run (job_id)
  WHERE wake_at IS NOT NULL OR look_at IS NOT NULL;

-- The run of a job that is decided. No other is while that one is worked at.
CREATE TABLE schedule_claim (
  job_id text PRIMARY KEY,
  due_at timestamptz NOT NULL,
  cause text NOT NULL,
  owner text NOT NULL);

-- How late it was when somebody last looked, so that a clock that is set back is noticed.
CREATE TABLE schedule_clock (
  name text PRIMARY KEY,
  seen_at timestamptz NOT NULL);
