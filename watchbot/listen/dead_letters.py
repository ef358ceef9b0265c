"""Moves messages that failed too often to the dead-letter queue, with the facts of the failure."""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from watchbot import metrics
from watchbot.aws import open_client
from watchbot.errors import AwsError, Denied, SettingError
from watchbot.listen.report import Report
from watchbot.settings.base import describe
from watchbot.settings.listen import ListenSettings
from watchbot.settings.queues import QueueShare
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.destination import Destination, Result, open_destination
from watchbot.sqs.evidence import Evidence, attested
from watchbot.sqs.message import about
from watchbot.sqs.outgoing import Unsent, again
from watchbot.sqs.publish import Publisher
from watchbot.sqs.queue import SqsQueue
from watchbot.sqs.redrive import redrive
from watchbot.world import REAL, World

REMEMBERED = 10_000  # messages whose failed runs are counted
RECEIVES_AN_ATTEMPT = 4  # used when no redrive policy limits the receives

log = logging.getLogger(__name__)


class DeadLetters:
    """Counts the failed runs of each message, and gives the message up after `max_attempts`.

    This process counts only its own runs. A message that fails is also given up at its
    `last_receive`, so that restarts and other watchers do not keep it alive for ever.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        max_attempts: int,
        last_receive: int,
        world: World = REAL,
    ) -> None:
        self._destination, self._world = destination, world
        self._max_attempts, self._last_receive = max_attempts, last_receive
        self._failures: OrderedDict[str, int] = OrderedDict()

    async def take(self, report: Report) -> bool:
        """Whether the message is now in the dead-letter queue, so that the caller may delete it.

        The caller must pass the report of every run, once.
        """
        message = report.message
        if not report.outcome.failed:
            if report.outcome.removes:
                self._failures.pop(message.id, None)
            return False
        failures = self._count(message.id)
        if failures < self._max_attempts and message.receives < self._last_receive:
            return False
        facts = {**about(message), "failures": failures, "receives": message.receives}
        unsent = await self._send(report)
        if unsent is not None:  # SQS's own redrive is the net
            metrics.dead_letters.labels("failed", message.queue).inc()
            reason = {"code": unsent.code, "reason": unsent.text}
            log.error("dead letter not sent", extra={**facts, **reason})
            return False
        metrics.dead_letters.labels("sent", message.queue).inc()
        log.info("dead letter sent", extra=facts)
        self._failures.pop(message.id, None)
        return True

    def _count(self, message_id: str) -> int:
        failures = self._failures.pop(message_id, 0) + 1
        self._failures[message_id] = failures
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        return failures

    async def _send(self, report: Report) -> Unsent | None:
        evidence = _evidence(report)
        result = await self._sent(report, evidence)
        if isinstance(result, Unsent) and not result.passing:
            # The output may have made the letter too big for the queue.
            result = await self._sent(report, replace(evidence, tail=""))
        return result if isinstance(result, Unsent) else None

    async def _sent(self, report: Report, evidence: Evidence) -> Result:
        message = report.message
        letter = replace(message, attributes=attested(message.attributes, evidence))
        # The message's own id: SQS drops the second letter if the first delete had failed.
        dedup_id = message.id if self._destination.fifo else None
        outgoing = again(letter, dedup_id=dedup_id)
        publisher = Publisher(self._destination, world=self._world)
        try:
            [result] = [each async for each in publisher.publish([outgoing])]
        except AwsError as error:
            return Unsent(code=error.code, text=error.text, passing=True)
        return result


@asynccontextmanager
async def open_dead_letters(settings: ListenSettings) -> AsyncIterator[Mapping[str, DeadLetters]]:
    """Opens the dead-letter queue of each queue, by its name; none without `--max-attempts`.

    Raises `SettingError` when a queue has no dead-letter queue, or one that does not fit. Raises
    `NotFound` when the dead-letter queue does not exist.
    """
    async with AsyncExitStack() as house:
        letters: dict[str, DeadLetters] = {}
        for queue in settings.queues if settings.max_attempts else ():
            letters[queue.name] = await _opened(house, settings, queue)
        yield letters


async def _opened(
    house: AsyncExitStack, settings: ListenSettings, queue: QueueShare
) -> DeadLetters:
    policy = redrive(await _facts(settings, queue.url))
    url = settings.dead_letter_queue_url or (policy and policy.target_url(queue.url))
    if not url:
        which = "the queue" if len(settings.queues) == 1 else queue.name
        raise SettingError(
            describe("max_attempts"),
            f"{which} names no dead-letter queue; set one in its redrive policy, or name it: "
            f"{describe('dead_letter_queue_url')}",
        )
    _check(queue.url, url)
    await _facts(settings, url)
    most = policy.max_receives if policy else RECEIVES_AN_ATTEMPT * settings.max_attempts
    destination = await house.enter_async_context(open_destination(url, settings.aws))
    return DeadLetters(destination, max_attempts=settings.max_attempts, last_receive=most)


def _check(queue_url: str, url: str) -> None:
    name = describe("dead_letter_queue_url")
    if url == queue_url:
        raise SettingError(name, "is the queue itself")
    if is_fifo(url) != is_fifo(queue_url):
        raise SettingError(name, "one queue is FIFO, and the other is not")


async def _facts(settings: ListenSettings, url: str) -> Mapping[str, str]:
    """The attributes of a queue; empty where IAM denies them, as a sender needs none of them."""
    async with open_client("sqs", settings.aws.near(url)) as sqs:
        try:
            return await SqsQueue(sqs, url).facts()
        except Denied:
            log.warning("sqs:GetQueueAttributes is denied; going on without", extra={"url": url})
            return {}


def _evidence(report: Report) -> Evidence:
    message = report.message
    return Evidence(
        reason=report.how,
        fingerprint=report.fingerprint,
        duration_s=report.duration_s,
        cpu_s=report.usage.cpu_s,
        memory_bytes=report.usage.memory_bytes,
        exit_code=report.ending.exit_code if report.ending else None,
        tail=report.tail,
        message_id=message.id,
        sent_ms=message.sent_ms,
        receives=message.receives,
        replay_of=message.replay_of,
    )
