"""The two calls of a worker: `create_job`, and `Part` around the work on one part."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from watchbot.errors import JobFailed
from watchbot.progress.tracker import Progress

_JSON = (type(None), bool, int, float, str, list, dict)


def create_job(
    parts: Sequence[Mapping[str, Any]],
    jobid: str | None = None,
    *,
    metadata: Any = None,
    ttl_s: float | None = None,
    progress: Progress | None = None,
) -> str:
    """Begins a job and sends a message with the subject `map` for each part; returns the job's id.

    A message is a JSON object: the part's fields, `jobid`, `partid` (from 0) and `metadata`. A
    worker may run twice for one message: pass its `MessageId` as `jobid` to begin one job, not
    two. Raises the errors of `Progress.create_job`.
    """
    jobid = jobid or str(uuid.uuid4())
    (progress or Progress()).create_job(jobid, parts, metadata=metadata, ttl_s=ttl_s)
    return jobid


class Part:
    """A context manager around the work on one part: completes the part when the work returns.

    After the last part, sends a message with the subject `reduce`: JSON with `jobid` and
    `metadata`; or calls `on_reduce` with these fields instead. When the work raises, the part
    stays open for the next try; an exception of `fail_job_on` fails the whole job. With
    `fail_job_on`, entering raises `JobFailed` for a job that has already failed.

    Ignores other JSON arguments, so that `Part(**message)` works; raises `TypeError` for an
    argument that no message can hold, such as a function.

    Raises the errors of `Progress.finish_part`.
    """

    def __init__(
        self,
        jobid: str,
        partid: int,
        progress: Progress | None = None,
        fail_job_on: type[Exception] | Sequence[type[Exception]] = (),
        on_reduce: Callable[[dict[str, Any]], object] | None = None,
        **others: Any,
    ) -> None:
        for name, value in others.items():
            if not isinstance(value, _JSON):
                raise TypeError(f"Part() got an unexpected keyword argument {name!r}")
        self._on_reduce = on_reduce
        self._jobid, self._partid = jobid, partid
        self._progress = progress or Progress()
        kinds = [fail_job_on] if isinstance(fail_job_on, type) else fail_job_on
        self._fatal = tuple(kinds)

    def __enter__(self) -> "Part":
        if self._fatal:
            error = self._progress.job(self._jobid).error
            if error is not None:
                raise JobFailed(self._jobid, error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._progress.finish_part(self._jobid, self._partid, self._on_reduce)
        elif isinstance(error, self._fatal):
            self._progress.fail_job(self._jobid, f"part {self._partid}: {error!r}")
