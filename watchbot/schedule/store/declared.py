"""Refuses to delete a job that a stack's table declares, because the table would bring it back."""

from starlette.exceptions import HTTPException

from watchbot.schedule.store.stored import StoredJob


def source_of(table: str | None) -> str | None:
    """The `source` of jobs that a table of stacks declares."""
    return f"dynamodb://{table}" if table else None


def refuse_declared(job: StoredJob, followed: str | None) -> None:
    """Raises `HTTPException` (409) if the job's source is the table that we follow."""
    if followed and job.source == followed:
        table = followed.removeprefix("dynamodb://")
        text = (
            f"The row with this id in the table {table}, which a stack writes, declares the job "
            f"{job.job.id}: the job would be back within a minute. Remove it from the stack, or "
            "delete the row; or pause the job."
        )
        raise HTTPException(409, text)
