"""Publishes notices, ten a call where the topic allows that, and retries passing errors."""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence

import anyio

from watchbot import metrics
from watchbot.aws import Client, retry_pause
from watchbot.errors import AwsError, Rejected
from watchbot.sqs.destination import Result, TopicDestination, passes
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.world import REAL, World, now

TRIES = 5
QUIET_S = 60  # the shortest time between two log lines about one kind of trouble

log = logging.getLogger(__name__)


class Topic:
    """An SNS topic for notices. If the topic refuses a batch, each notice is a call of its own."""

    def __init__(
        self,
        client: Client,
        arn: str,
        *,
        pause: Callable[[float], Awaitable[None]] = anyio.sleep,
        world: World = REAL,
    ) -> None:
        self._client, self._arn, self._pause, self._world = client, arn, pause, world
        self._batches = TopicDestination(client, arn)
        self._takes_batches = True
        self._quiet_until = -math.inf

    @property
    def fifo(self) -> bool:
        """Whether the topic is FIFO, so that each notice needs a message group."""
        return self._batches.fifo

    async def publish(self, notices: Sequence[Outgoing]) -> None:
        """Publishes up to ten notices. Counts and logs those that fail for good, or five times."""
        for failures in range(1, TRIES + 1):
            results = await self._attempt(notices)
            refused = [
                (notice, result)
                for notice, result in zip(notices, results, strict=True)
                if isinstance(result, Unsent)
            ]
            again = [notice for notice, unsent in refused if unsent.passing and failures < TRIES]
            metrics.notifications.labels("sent").inc(len(notices) - len(refused))
            metrics.notifications.labels("failed").inc(len(refused) - len(again))
            if refused:
                self._complain(refused[0][1])
            if not again:
                return
            notices = again
            await self._pause(retry_pause(failures, chance=self._world.chance))

    async def _attempt(self, notices: Sequence[Outgoing]) -> Sequence[Result]:
        if len(notices) > 1 and self._takes_batches:
            try:
                return await self._batches.send(notices)
            except AwsError as error:
                if not isinstance(error, Rejected) or passes(error.code):
                    return [_unsent(error)] * len(notices)
            # Either the topic takes no batches, or one notice made SNS refuse the whole batch.
            results = [await self._alone(notice) for notice in notices]
            self._takes_batches = any(isinstance(result, Unsent) for result in results)
            return results
        return [await self._alone(notice) for notice in notices]

    async def _alone(self, notice: Outgoing) -> Result:
        try:
            answer = await self._client.call("publish", **self._request(notice))
        except AwsError as error:
            return _unsent(error)
        return str(answer.get("MessageId"))

    def _request(self, notice: Outgoing) -> dict[str, object]:
        request: dict[str, object] = {
            "TopicArn": self._arn,
            "Subject": notice.subject,
            "Message": notice.body,
            "MessageAttributes": {
                name: {"DataType": attribute.type, "StringValue": attribute.value}
                for name, attribute in notice.attributes.items()
            },
        }
        if self.fifo:
            request["MessageGroupId"] = notice.group_id
            request["MessageDeduplicationId"] = notice.dedup_id
        return request

    def _complain(self, unsent: Unsent) -> None:
        # Every failure is counted, but a line a minute is enough: a deleted topic fails each call.
        if self._world.now() >= self._quiet_until:
            self._quiet_until = self._world.now() + QUIET_S
            log.warning("notification failed", extra={"code": unsent.code, "reason": unsent.text})


class Dropped:
    """Counts notices that nobody will get, and logs their number at most once a minute."""

    def __init__(self, clock: Callable[[], float] = now) -> None:
        self._clock = clock
        self._untold = 0
        self._quiet_until = -math.inf

    def add(self, count: int) -> None:
        """Adds `count` dropped notices."""
        metrics.notifications.labels("dropped").inc(count)
        self._untold += count

    def log(self, *, at_once: bool = False) -> None:
        """Logs the number of notices dropped since the last line; `at_once`: does not wait."""
        if self._untold and (at_once or self._clock() >= self._quiet_until):
            log.warning("notifications dropped", extra={"count": self._untold})
            self._untold, self._quiet_until = 0, self._clock() + QUIET_S


def _unsent(error: AwsError) -> Unsent:
    return Unsent(code=error.code, text=error.text, passing=error.transient or passes(error.code))
