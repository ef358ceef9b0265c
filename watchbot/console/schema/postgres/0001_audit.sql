-- Who did what with the console. A row is never changed.
CREATE TABLE console_audit (
  number bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL,
  who text NOT NULL,
  what text NOT NULL,              -- pause, resume, replay, delete, edit, send, ...
  target text NOT NULL,            -- a queue, a job
  count integer NOT NULL,          -- messages, jobs
  detail text NOT NULL)
