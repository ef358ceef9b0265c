"""The columns that are read of a table.

Each query names them, because a newer version may add one while this one runs: PostgreSQL then
refuses a prepared `SELECT *`.
"""

_JOB = (
    *("id", "generation", "fields", "source", "source_fields", "note", "created_at"),
    *("next_fire_at", "failures", "last_run_at", "last_run_tasks"),
)
JOB = ", ".join(_JOB)
JOB_OF_J = ", ".join(f"j.{name}" for name in _JOB)
CLAIM = "job_id, due_at, cause, owner"
