"""The first word with a queue, before the first message."""

import logging
from collections.abc import Callable

import anyio

from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Denied, Unreachable
from watchbot.lifecycle import Stop
from watchbot.sqs.outage import Outage
from watchbot.sqs.queue import Queue
from watchbot.world import now

REACH_S = 5  # what each try to reach the queue gets
LEAST_S = 1  # what even the only one gets
REACH_FOR_S = 30  # one fault at the start is no reason to leave; a few in a row are
REACH_PAUSE_S = 1  # the longest pause between them: the operator looks on

_HUNG = Unreachable(
    service="SQS", operation="get_queue_attributes", code="Hung", text="no answer came"
)

log = logging.getLogger(__name__)


async def reach(
    queue: Queue, stop: Stop, give_up_s: float, *, clock: Callable[[], float] = now
) -> bool:
    """Fails for a queue that is not there, while the operator still looks.

    Tries for 30 seconds, or for `give_up_s` where that is less. False when told to stop meanwhile.
    Raises the `AwsError` of the last try, in a group.
    """
    end_at = clock() + min(give_up_s, REACH_FOR_S)
    async with anyio.create_task_group() as trying:
        trying.start_soon(_cancel_on_drain, stop, trying.cancel_scope)
        await _try_to_reach(queue, end_at, clock)
        trying.cancel_scope.cancel()
    return not stop.draining.is_set()


async def _cancel_on_drain(stop: Stop, scope: anyio.CancelScope) -> None:
    await stop.draining.wait()
    scope.cancel()


async def _try_to_reach(queue: Queue, end_at: float, clock: Callable[[], float]) -> None:
    outage = Outage(log, "queue not reached, trying again", "queue reached", now=clock)
    while True:
        error: AwsError = _HUNG
        with anyio.move_on_after(min(REACH_S, max(end_at - clock(), LEAST_S))):
            try:
                await queue.facts()
                outage.over()
                return
            except Denied:
                log.warning("sqs:GetQueueAttributes is denied; going on without")
                return
            except AwsError as refused:
                error = refused
        pause_s = retry_pause(outage.failures + 1, cap_s=REACH_PAUSE_S)
        if not error.transient or end_at - clock() <= pause_s:
            raise error
        outage.failed(error)
        await anyio.sleep(pause_s)
