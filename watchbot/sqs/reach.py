"""The first word with a queue, before the first message."""

import logging

import anyio

from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Denied, Unreachable, UsageError
from watchbot.lifecycle import Stop
from watchbot.sqs.queue import Queue

REACH_S = 5  # what each try to reach the queue gets
REACH_TRIES = 6  # one fault at the start is no reason to leave; a few in a row are
REACH_PAUSE_S = 1  # the longest pause between them: the operator looks on

_HUNG = Unreachable(
    service="SQS", operation="get_queue_attributes", code="Hung", text="no answer came"
)

log = logging.getLogger(__name__)


async def reach(queue: Queue, stop: Stop) -> bool:
    """Fails for a queue that is not there, while the operator still looks.

    False when told to stop meanwhile. Raises `UsageError` when nobody answers, `AwsError` for what
    AWS refuses, in groups.
    """
    async with anyio.create_task_group() as trying:
        trying.start_soon(_cancel_on_drain, stop, trying.cancel_scope)
        await _try_to_reach(queue)
        trying.cancel_scope.cancel()
    return not stop.draining.is_set()


async def _cancel_on_drain(stop: Stop, scope: anyio.CancelScope) -> None:
    await stop.draining.wait()
    scope.cancel()


async def _try_to_reach(queue: Queue) -> None:
    for failures in range(1, REACH_TRIES + 1):
        error: AwsError = _HUNG
        with anyio.move_on_after(REACH_S):
            try:
                await queue.facts()
                return
            except Denied:
                log.warning("sqs:GetQueueAttributes is denied; going on without")
                return
            except AwsError as refused:
                error = refused
        if isinstance(error, Unreachable) and failures == REACH_TRIES:
            raise UsageError(str(error)) from error
        if not error.transient or failures == REACH_TRIES:
            raise error
        facts = {"code": error.code, "reason": error.text}
        log.warning("queue not reached, trying again", extra=facts)
        await anyio.sleep(retry_pause(failures, cap_s=REACH_PAUSE_S))
