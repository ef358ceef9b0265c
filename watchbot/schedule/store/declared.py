"""A job that a table declares is deleted there: the API alone could not keep it away."""

from starlette.exceptions import HTTPException

from watchbot.schedule.store.stored import StoredJob


def source_of(table: str | None) -> str | None:
    """The `source` of the jobs that a table of stacks declares."""
    return f"dynamodb://{table}" if table else None


def refuse_declared(job: StoredJob, followed: str | None) -> None:
    """Raises `HTTPException` (409) for a job whose source is the one that is followed."""
    if followed and job.source == followed:
        table = followed.removeprefix("dynamodb://")
        text = (
            f"Job {job.job.id} is declared by the row with this id in the table {table}, which a "
            "stack writes: it would be back within a minute. Remove it from the stack, or delete "
            "the row; or pause the job."
        )
        raise HTTPException(409, text)
