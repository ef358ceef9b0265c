-- oldest program: 2
-- JSON: how the tasks of a run ended, by ARN; none: none is known to have ended.
ALTER TABLE schedule_run ADD COLUMN ends text;
-- For the latest runs of all jobs.
CREATE INDEX schedule_run_due ON schedule_run (due_at);
