"""The two calls of a worker: `create_job`, and `Part` around the work of one part."""

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
    """Begins a job, sends a message with the subject `map` for each of its parts; the job's id.

    A message is JSON: what the part holds, with `jobid`, `partid` (from 0) and `metadata`. Give
    an id that is the same when the worker runs twice for one message, such as its `MessageId`:
    then it is one job, and not two. Raises what `Progress.create_job` does.
    """
    jobid = jobid or str(uuid.uuid4())
    (progress or Progress()).create_job(jobid, parts, metadata=metadata, ttl_s=ttl_s)
    return jobid


class Part:
    """Around the work of one part: completes the part when the work is done.

    When it was the last one, a message with the subject `reduce` is sent, JSON with `jobid` and
    `metadata`. When the work raises, the part stays open, for the next try; with an exception of
    `fail_job_on`, the whole job is failed. With `fail_job_on`, too, the work of a job that has
    failed is not begun: `JobFailed`. `on_reduce` is called in place of sending the `reduce`
    message, with what that would hold. Other arguments are what a message may hold, so that
    `Part(**message)` works, and are not used; what no message holds, as a function, is a
    `TypeError`.

    Raises what `Progress.finish_part` does.
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
