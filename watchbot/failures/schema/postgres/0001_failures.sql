-- Messages whose runs failed. Rows are deleted after two weeks.
CREATE TABLE watchbot_failure (
  number bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL,
  fingerprint text NOT NULL,      -- failures of one kind share it
  how text NOT NULL,
  outcome text NOT NULL,
  queue text NOT NULL,
  message_id text NOT NULL,
  receives integer NOT NULL,
  duration_s double precision NOT NULL,
  memory_bytes bigint,
  container text NOT NULL,
  log text NOT NULL,
  tail text NOT NULL);            -- the last output
CREATE INDEX watchbot_failure_at ON watchbot_failure (at);
CREATE INDEX watchbot_failure_kind ON watchbot_failure (fingerprint, at DESC)
