"""A map-reduce job, its limits, and its status."""

from dataclasses import dataclass
from typing import Any

from watchbot.errors import NoSuchPart, UsageError

MAX_PARTS = 10_000_000
MAX_ID_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MapReduceJob:
    """A job without the state of its parts. `error` is the reason of its failure.

    `parts` are the numbers of its parts.
    """

    id: str
    total: int
    parts: range
    error: Any = None
    metadata: Any = None
    reduce_sent: bool = False


def check_new(job: str, total: int, ttl_s: float | None) -> None:
    """Raises `UsageError` for an id, a total or a time out of bounds."""
    if not job or len(job.encode()) > MAX_ID_BYTES:
        raise UsageError(f"a job's id has 1 to {MAX_ID_BYTES:,} bytes, not {len(job.encode()):,}")
    if not 1 <= total <= MAX_PARTS:
        raise UsageError(f"a job has 1 to {MAX_PARTS:,} parts, not {total:,}")
    if ttl_s is not None and not ttl_s >= 1:
        raise UsageError(f"a job must be kept for at least 1 second, not {ttl_s}")


def check_part(job: MapReduceJob, part: int) -> None:
    """Raises `NoSuchPart` for a number outside the job's parts."""
    if part not in job.parts:
        raise NoSuchPart(job.id, part, job.parts)


def status(job: MapReduceJob, remaining: int, part_is_done: bool | None = None) -> dict[str, Any]:
    """The status of a job with `remaining` open parts, as watchbot-progress prints it.

    `progress` is rounded down to hundredths, so that 1 means that all parts are done.
    """
    hundredths = (job.total - remaining) * 100 // job.total
    # 0 and 1 without a decimal point, as JavaScript writes them: scripts compare the text.
    said: dict[str, Any] = {"progress": hundredths / 100 if hundredths % 100 else hundredths // 100}
    if job.error is not None:
        said["failed"] = job.error
    if job.metadata is not None:
        said["metadata"] = job.metadata
    if part_is_done is not None:
        said["partComplete"] = part_is_done
    if job.reduce_sent:
        said["reduceSent"] = True
    return said


def info(job: MapReduceJob, remaining: int) -> dict[str, Any]:
    """The status with `jobid`, `total` and `remaining`."""
    return {
        "jobid": job.id,
        **status(job, remaining),
        "total": job.total,
        "remaining": remaining,
    }
