"""Looks at each queue in the background: whether it is paused, and how many messages it has."""

import contextlib
import logging
import math
from collections.abc import Sequence

import anyio

from watchbot import metrics
from watchbot.aws import retry_pause
from watchbot.errors import AwsError, Denied, Rejected
from watchbot.lifecycle import Stop, until
from watchbot.sqs.counts import counts
from watchbot.sqs.pause import Tagged, read
from watchbot.sqs.source import Source
from watchbot.world import REAL, World

LOOK_S = 15  # AWS allows 30 calls a second for the tags of all queues of an account
JITTER = 0.2  # of this time, so that watchers that were started together look apart
MEASURE_S = 60  # SQS updates its own counts about once a minute
FIRST_TRIES, FIRST_S = 3, 10  # before the first receive
OFF_S = 900  # from a denied look to the next one

log = logging.getLogger(__name__)


class QueueWatch:
    """Looks at one queue. `tagged` is the queue with its tags."""

    def __init__(self, source: Source, tagged: Tagged, world: World = REAL) -> None:
        self._source, self._tagged, self._world = source, tagged, world
        self._off_until = self._measured_at = -math.inf
        self._told_off = False

    async def first(self) -> None:
        """Sees whether the queue is paused; after some tries in vain, takes it for not paused."""
        failures, error = 0, await self._look()
        while error is not None and (failures := failures + 1) < FIRST_TRIES:
            await anyio.sleep(retry_pause(failures, chance=self._world.chance))
            error = await self._look()
        if error is not None:
            facts = {"code": error.code, "reason": error.text, "queue": self._source.name}
            log.warning("not known whether the queue is paused, receiving", extra=facts)

    async def for_ever(self) -> None:
        """Looks again and again."""
        while True:
            await self._measure()
            await anyio.sleep(LOOK_S * self._world.chance.uniform(1 - JITTER, 1 + JITTER))
            await self._look()

    async def _look(self) -> AwsError | None:
        """Reads the pause; returns an error that passes. After one, nothing is changed."""
        if self._world.now() < self._off_until:
            return None
        try:
            pause = await read(self._tagged)
        except (Denied, Rejected) as refusal:
            self._turn_off(refusal)
            return None
        except AwsError as error:
            return error
        before, facts = self._source.pause, {"queue": self._source.name}
        if pause is not None and pause != before:
            why = {"reason": pause.reason, "by": pause.by or None, "since": pause.at or None}
            log.info("paused", extra={**why, **facts})
        elif pause is None and before is not None:
            log.info("resumed", extra=facts)
        metrics.paused.labels(self._source.name).set(pause is not None)
        self._source.hold(pause)
        return None

    def _turn_off(self, refusal: AwsError) -> None:
        self._off_until = self._world.now() + OFF_S
        if not self._told_off:
            self._told_off = True
            facts = {"code": refusal.code, "reason": refusal.text, "queue": self._source.name}
            log.warning("cannot be paused: sqs:ListQueueTags is refused", extra=facts)

    async def _measure(self) -> None:
        if self._world.now() < self._measured_at + MEASURE_S:
            return
        self._measured_at = self._world.now()
        with contextlib.suppress(AwsError):  # the client counts it; receives report lasting errors
            for state, count in counts(await self._source.queue.facts()).items():
                metrics.queue_messages.labels(state, self._source.name).set(count)


async def look_first(looks: Sequence[QueueWatch], stop: Stop) -> None:
    """Sees which queues are paused, before the first receive; returns at once after `stop`."""
    with anyio.move_on_after(FIRST_S):
        async with until(stop.draining), anyio.create_task_group() as looking:
            for each in looks:
                looking.start_soon(each.first)
