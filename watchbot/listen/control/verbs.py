"""Does what a worker asks for: changes its run's deadline, and notes wishes for its message."""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio

from watchbot.listen.control.wire import OF_THE_RUN, Asked, Ungranted
from watchbot.listen.ends import AtWork, Ends
from watchbot.listen.runner import Job
from watchbot.sqs.message import about

TELL_EVERY_S = 1.0  # at most one line of the log about a message's progress

log = logging.getLogger(__name__)

Facts = dict[str, object]


class Saving(Protocol):
    """Keeps checkpoints."""

    async def save(self, job: Job, content: bytes) -> None:
        """Stores a checkpoint of the message. Raises `Ungranted` when that is not possible."""


class Verbs:
    """The verbs of the protocol. Each takes a request of a process, and returns a reply's facts."""

    def __init__(self, ends: Ends, checkpoints: Saving | None) -> None:
        self._ends, self._checkpoints = ends, checkpoints
        self._of_a_message: dict[str, Callable[[Job, Asked], Facts]] = {
            "retry-after": self._retry_after,
            "reject": self._reject,
            "progress": self._progress,
            "resume": self._resume,
        }

    def answer(self, at_work: AtWork, request: Asked) -> Facts | Awaitable[Facts]:
        """The facts of the reply, or what to await for them. Raises `Ungranted`."""
        job = _job(at_work, request)
        if request.verb in OF_THE_RUN:
            return self._deadline(at_work, request)
        if job is None:
            raise Ungranted('a request names its message here: {"message": "ID"}, or --message ID')
        if request.verb == "checkpoint":
            return self._checkpoint(job, request)
        return self._of_a_message[request.verb](job, request)

    def _deadline(self, at_work: AtWork, request: Asked) -> Facts:
        limit = at_work.limit()
        if request.verb == "extend":
            seconds = request.number("seconds")
            if limit is None or limit.scope.cancel_called:
                raise Ungranted("this run was told to end")
            self._ends.extend(limit, at_work.jobs(), seconds)
        return {"seconds": round(self._ends.left_s(limit), 3)}

    def _retry_after(self, job: Job, request: Asked) -> Facts:
        job.asks.retry_after_s = request.number("seconds")
        return {"seconds": math.floor(max(0.0, min(job.asks.retry_after_s, job.left_s())))}

    def _reject(self, job: Job, request: Asked) -> Facts:
        job.asks.rejected = request.text("reason")
        return {}

    def _progress(self, job: Job, request: Asked) -> Facts:
        fraction, text, now = request.number("fraction"), request.text("text"), anyio.current_time()
        if fraction > 1:
            raise Ungranted("progress needs a number from 0 to 1 as 'fraction'")
        asks, job.asks.progress = job.asks, fraction
        if asks.told_at is None or now - asks.told_at >= TELL_EVERY_S or fraction == 1:
            asks.told_at = now
            said = {"text": text} if text else {}
            log.info("progress", extra={**about(job.message), "fraction": fraction, **said})
        return {}

    def _resume(self, job: Job, _: Asked) -> Facts:
        return {"file": job.asks.resume}

    async def _checkpoint(self, job: Job, request: Asked) -> Facts:
        content = request.content()
        if self._checkpoints is None:
            raise Ungranted("this watcher keeps no checkpoints; start it with --checkpoints")
        await self._checkpoints.save(job, content)
        return {"bytes": len(content)}


def _job(at_work: AtWork, request: Asked) -> Job | None:
    """The message that is meant; None where a process with many of them names none."""
    jobs = at_work.jobs()
    if not jobs:
        raise Ungranted("this process has no message in hand")
    if request.message is None:
        return None if at_work.many else jobs[0]
    for job in jobs:
        if job.message.id == request.message:
            return job
    raise Ungranted("this process has no message with this id in hand")
