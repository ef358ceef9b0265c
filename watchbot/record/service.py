"""`watchbot record`: receive, read, write, delete. Start reading here.

Messages wait in one line. Each writer takes a batch of what waits, writes it in one transaction,
and only then deletes the messages. A database that is down keeps writers trying, and messages
leased; nothing is deleted that is not written.
"""

import functools
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from watchbot import descriptors, metrics
from watchbot.aws import open_client, retry_pause
from watchbot.errors import DatabaseError, DataRefused
from watchbot.lifecycle import Stop
from watchbot.pages.door import check_door
from watchbot.record.event import OtherEvent, TaskState, Unreadable, read
from watchbot.record.reconcile import Reconciler
from watchbot.record.retention import forget_for_ever
from watchbot.record.summaries import tidy_for_ever
from watchbot.record.tables import COMPONENT, PACKAGE
from watchbot.record.writer import Reject, write
from watchbot.settings.record import RecordSettings
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate
from watchbot.sqs.consumer import Consumer, Weighted, terms
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.lease import Lease
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue, SqsQueue
from watchbot.sqs.reach import reach
from watchbot.sqs.source import Source
from watchbot.sqs.valve import Valve
from watchbot.web import Served, serving, serving_app
from watchbot.world import REAL, World

DATABASE_RETRY_CAP_S = 10

log = logging.getLogger(__name__)


async def record(settings: RecordSettings, stop: Stop) -> int:
    """Writes the events of a queue into the database until told to stop; the exit code.

    Raises `UsageError` or `DatabaseError` for what is wrong before the first message, `AwsError`
    for what AWS refuses for good.
    """
    descriptors.make_room(others=settings.concurrency)
    if settings.http_port is not None:
        check_door(settings.http_host, settings.http_token, "http_")
    aws = settings.aws.near(settings.queue_url)
    async with AsyncExitStack() as house:
        database = await house.enter_async_context(
            open_database(settings.database, connections=settings.concurrency + 4)
        )
        for name in await migrate(database, COMPONENT, PACKAGE):
            log.info("tables changed", extra={"migration": name})
        sqs = await house.enter_async_context(
            open_client("sqs", aws, attempts=1, wait_s=settings.poll_wait, connections=50)
        )
        queue = SqsQueue(sqs, settings.queue_url)
        recorder = Recorder(settings, queue, database)
        await house.enter_async_context(
            serving(
                settings.metrics_host,
                settings.metrics_port,
                Served(unhealthy=recorder.unhealthy, unready=recorder.unready),
            )
        )
        if not await reach(queue, stop, settings.give_up_after):
            return 0
        await _keep_in_step(house, settings, database)
        await _show(house, settings, database)
        await recorder.run(stop)
    return 0


async def _show(house: AsyncExitStack, settings: RecordSettings, database: Database) -> None:
    """Serves the web page, if it was asked for."""
    if settings.http_port is None:
        return
    # Imported here: a recorder without a page starts faster, and stays smaller.
    from watchbot.pages.site import holders, site
    from watchbot.record.api import Api
    from watchbot.record.page import RecordPages

    routes = [*RecordPages(database).routes(), *Api(database).routes()]
    app = site(
        routes,
        host=settings.http_host,
        visitors=holders(settings.http_token),
        public_url=settings.public_url,
    )
    url = await house.enter_async_context(
        serving_app(app, settings.http_host, settings.http_port, "http_port")
    )
    log.info("serving the page", extra={"url": url})


async def _keep_in_step(
    house: AsyncExitStack, settings: RecordSettings, database: Database
) -> None:
    """Asks ECS, forgets and tidies in the background, for as long as the service runs."""
    aws = settings.aws.in_region_of(settings.queue_url)
    ecs = await house.enter_async_context(open_client("ecs", aws))
    reconciler = Reconciler(database, ecs, settings.reconcile)
    asking = await house.enter_async_context(anyio.create_task_group())
    house.callback(asking.cancel_scope.cancel)
    asking.start_soon(reconciler.learn_for_ever)
    asking.start_soon(tidy_for_ever, database)
    limits = (settings.retention, settings.retention_tasks)
    if limits != (None, None):
        asking.start_soon(forget_for_ever, database, *limits)
    if settings.reconcile:
        asking.start_soon(reconciler.run, settings.reconcile_every)


@dataclass(slots=True)
class EventBatch:
    """Messages in hand, and the events that were read from them."""

    leases: list[Lease]
    tasks: list[TaskState]
    others: list[OtherEvent]
    rejects: list[Reject]
    in_ascii: bool = False


class Recorder:
    """Moves events from a queue into a database."""

    def __init__(
        self, settings: RecordSettings, queue: Queue, database: Database, world: World = REAL
    ) -> None:
        self._settings, self._database, self._chance = settings, database, world.chance
        # As many again as are being written may wait: no writer is idle while a poll is out.
        self._consumer = Consumer(
            [Weighted(queue)],
            self,
            terms(settings, 2 * settings.concurrency * settings.batch),
            valve=Valve(world),
        )
        [source] = self._consumer.sources
        self._leases = source.leases
        self._line: deque[Lease] = deque()
        self._news = anyio.Event()
        self._over = False  # no message comes any more
        self._writing = anyio.CancelScope()
        self._trouble: str | None = None

    def unhealthy(self) -> str | None:
        """Why only a restart can help, or None. A queue or database that is away is no reason."""
        return self._consumer.unhealthy()

    def unready(self) -> str | None:
        """Why no event would be written now, or None."""
        return "draining" if self._consumer.draining else self._trouble or self._consumer.trouble

    async def run(self, stop: Stop) -> None:
        """Receives and writes until the stop; returns when nothing is in hand any more.

        Raises `AwsError`, in a group, when AWS refuses receives for good.
        """
        log.info("started", extra={"database": self._database.shown_url})
        await self._consumer.run(stop)

    # What the consumer calls: see `watchbot.sqs.consumer.Work`.

    def begin(self, workers: TaskGroup) -> None:
        workers.start_soon(self._write_until_over)

    def deliver(self, source: Source, messages: list[Message]) -> None:
        self._line.extend(map(source.leases.take, messages))
        self._news.set()

    def is_done(self) -> bool:
        return True

    def lost(self, lease: Lease) -> None:
        pass  # an event that is written twice changes nothing

    def drain(self) -> None:
        log.info("draining", extra={"in_hand": self._leases.in_hand})

    def received(self) -> None:
        self._over = True
        self._news.set()

    def let_go(self) -> None:
        self._writing.cancel()  # what is not written by now is released

    async def _write_until_over(self) -> None:
        with self._writing:
            async with anyio.create_task_group() as writers:
                for _ in range(self._settings.concurrency):
                    writers.start_soon(self._write_for_ever)
        await self._release()

    async def _write_for_ever(self) -> None:
        while leases := await self._next():
            try:
                await self._write(_read(leases))
            except anyio.get_cancelled_exc_class():
                self._line.extend(leases)
                raise

    async def _next(self) -> list[Lease]:
        """Waits for messages; returns up to a batch of them, or none once no more will come."""
        while not self._line and not self._over:
            self._news = anyio.Event() if self._news.is_set() else self._news
            await self._news.wait()
        count = min(len(self._line), self._settings.batch)
        return [self._line.popleft() for _ in range(count)]

    async def _write(self, batch: EventBatch) -> None:
        await self._insist(batch)
        await self._leases.delete_all(batch.leases)
        for lease in batch.leases:
            metrics.receives.labels(lease.message.queue).observe(lease.message.receives)
            metrics.settled("released" if lease.lost else "completed", lease.message.queue)
        self._consumer.give_back(len(batch.leases))

    async def _insist(self, batch: EventBatch) -> None:
        """Writes the batch; tries again for as long as the database is down."""
        failures = 0
        while True:
            try:
                await write(self._database, batch.tasks, batch.others, batch.rejects)
            except DataRefused as error:
                await self._write_apart(batch, error)
                return
            except DatabaseError as error:
                failures += 1
                self._trouble = str(error)
                pause_s = retry_pause(failures, DATABASE_RETRY_CAP_S, self._chance)
                log.warning("not written, trying again", extra={"reason": error.text})
                await anyio.sleep(pause_s)
            else:
                self._trouble = None
                _count(batch)
                return

    async def _write_apart(self, batch: EventBatch, error: DataRefused) -> None:
        """Halves the batch until the message that the database refuses is alone; rejects it.

        A rejected message is written in ASCII: a database that is not in UTF-8 may refuse no less
        than its event. Raises `error` if the database refuses that, too.
        """
        if batch.in_ascii:
            raise error
        if len(batch.leases) == 1:
            reason = f"the database refuses it: {error.text}"
            message_id = batch.leases[0].message.id
            log.warning("event rejected", extra={"message_id": message_id, "reason": reason})
            await self._insist(_rejected(batch.leases[0], reason, in_ascii=True))
            return
        middle = len(batch.leases) // 2
        for half in (batch.leases[:middle], batch.leases[middle:]):
            await self._insist(_read(half))

    async def _release(self) -> None:
        async with anyio.create_task_group() as hides:
            for lease in self._line:
                metrics.settled("released", lease.message.queue)
                hides.start_soon(functools.partial(self._leases.hide, lease, 0))


def _count(batch: EventBatch) -> None:
    metrics.recorded.labels("task").inc(len(batch.tasks))
    metrics.recorded.labels("other").inc(len(batch.others))
    metrics.recorded.labels("rejected").inc(len(batch.rejects))


def _read(leases: Sequence[Lease]) -> EventBatch:
    batch = EventBatch(leases=list(leases), tasks=[], others=[], rejects=[])
    for lease in leases:
        message = lease.message
        try:
            event = read(open_envelope(message).body, message.id)
        except Unreadable as error:
            log.warning("event rejected", extra={"message_id": message.id, "reason": str(error)})
            batch.rejects += _rejected(lease, str(error)).rejects
        else:
            if isinstance(event, TaskState):
                batch.tasks.append(event)
            else:
                batch.others.append(event)
    return batch


def _rejected(lease: Lease, error: str, *, in_ascii: bool = False) -> EventBatch:
    message = lease.message
    body = message.body
    if in_ascii:
        body = body.encode("ascii", "backslashreplace").decode()
    reject = Reject(message_id=message.id, body=body, error=error, receive_count=message.receives)
    return EventBatch(leases=[lease], tasks=[], others=[], rejects=[reject], in_ascii=in_ascii)
