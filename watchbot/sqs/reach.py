"""Checks at the start that the queue can be reached, before the first receive."""

import logging
from collections.abc import Callable

import anyio

from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Denied, Unreachable
from watchbot.lifecycle import Stop, until
from watchbot.sqs.outage import Outage
from watchbot.sqs.queue import Queue
from watchbot.world import now

REACH_S = 5  # the limit of each try
LEAST_S = 1  # the least time for a try, even with a short `give_up_s`
REACH_FOR_S = 30  # how long to try: one error at the start is no reason to end
REACH_PAUSE_S = 1  # the longest pause between two tries, short because the operator waits

_HUNG = Unreachable(
    service="SQS", operation="get_queue_attributes", code="Hung", text="no answer came"
)

log = logging.getLogger(__name__)


async def reach(
    queue: Queue, stop: Stop, give_up_s: float, *, clock: Callable[[], float] = now
) -> bool:
    """Asks the queue for its attributes, so that a wrong URL fails while the operator still looks.

    Tries for 30 seconds, or for `give_up_s` if that is less. Returns False if `stop` came first.
    Raises the `AwsError` of the last try, in an exception group.
    """
    end_at = clock() + min(give_up_s, REACH_FOR_S)
    async with until(stop.draining):
        await _try_to_reach(queue, end_at, clock)
    return not stop.draining.is_set()


async def _try_to_reach(queue: Queue, end_at: float, clock: Callable[[], float]) -> None:
    during, after = "queue not reached, trying again", "queue reached"
    outage = Outage(log, during, after, now=clock, queue=queue.name)
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
