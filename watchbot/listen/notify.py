"""Publishes failures to an SNS topic, in the background: no run waits for SNS."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import replace

import anyio

from watchbot.aws import Client
from watchbot.listen.publishing import Dropped, Topic
from watchbot.listen.report import Report
from watchbot.logs.line import date
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import Outgoing, clean, size_bytes
from watchbot.sqs.publish import BATCH_BYTES
from watchbot.sqs.queue import MAX_BATCH
from watchbot.world import REAL, World

MAX_WAITING = 1_000
MAX_TEXT_BYTES = 250_000  # SNS takes 262,144, attributes included
MAX_BODY_CHARACTERS = 30_000
ALIKE_A_MINUTE = 10
ALIKE_S = 60  # for which failures of one fingerprint are counted together
LEAST_FLUSH_S = 0.5
FLUSH_S = 5  # notices still unsent this long after the end of all work are dropped and counted
CALLS_AT_ONCE = 8

STOPPED = "(Every message failed alike: watchbot stops receiving, and tries one now and then.)\n"


class Notifier:
    """Publishes reports to one topic. `notify` returns at once; `run` does the work.

    A notice says that it is from `service`; None: it is named after the message's queue.
    """

    def __init__(
        self,
        client: Client,
        topic_arn: str,
        service: str | None,
        container: Mapping[str, str],
        world: World = REAL,
    ) -> None:
        self._world, self._now = world, world.now
        self._topic = Topic(client, topic_arn, world=world)
        self._service, self._container = service, container
        self._waiting: deque[tuple[Report, int]] = deque()
        self._alike: OrderedDict[str, _Window] = OrderedDict()  # the oldest first
        self._changed = anyio.Event()
        self._closing = False
        self._left_s: Callable[[], float] = lambda: FLUSH_S
        self._under_way: list[list[Outgoing]] = []
        self._dropped = Dropped(world.now)
        self._finished = anyio.Event()

    def notify(self, report: Report, *, stopped: bool = False) -> None:
        """Queues the report for publishing; gathers reports of one fingerprint when there are many.

        `stopped`: this failure has made the watcher stop receiving, and the notice says so.
        """
        if stopped:
            report = replace(report, tail=STOPPED + report.tail)
        report = _without_bulk(report)
        window = self._alike.setdefault(report.fingerprint, _Window(self._now()))
        window.told += 1
        if window.told > ALIKE_A_MINUTE:
            window.gathered, window.latest = window.gathered + 1, report
        else:
            self._add(report, 1)

    async def run(self) -> None:
        """Publishes until `close`, and then the notices that are left."""
        async with anyio.create_task_group() as calls:
            while not self._closing or self._waiting:
                self._release_gathered()
                self._dropped.log()
                if self._waiting and len(self._under_way) < CALLS_AT_ONCE:
                    batch = self._batch()
                    self._under_way.append(batch)
                    calls.start_soon(self._publish, batch)
                    continue
                self._changed = anyio.Event()
                with anyio.move_on_after(1.0 if self._alike else None):
                    await self._changed.wait()
        self._finished.set()

    def hurry(self, left_s: Callable[[], float]) -> None:
        """Gives the last notices what `left_s` returns at the close, but at least half a second."""
        self._left_s = left_s

    async def close(self) -> None:
        """Publishes the rest, for at most five seconds. No call of `notify` may follow."""
        flush_s = min(FLUSH_S, max(LEAST_FLUSH_S, self._left_s()))
        self._closing = True
        self._release_gathered()
        self._changed.set()
        with anyio.move_on_after(flush_s):
            await self._finished.wait()
        self._dropped.add(len(self._waiting) + sum(map(len, self._under_way)))
        self._dropped.log(at_once=True)

    def _add(self, report: Report, count: int) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._dropped.add(1)
            return
        self._waiting.append((report, count))
        self._changed.set()

    def _release_gathered(self) -> None:
        while self._alike:
            window = next(iter(self._alike.values()))
            if not self._closing and self._now() - window.began < ALIKE_S:
                return  # those behind it are younger
            self._alike.popitem(last=False)
            if window.latest is not None:
                self._add(window.latest, window.gathered)

    def _batch(self) -> list[Outgoing]:
        """The next notices: up to ten, and no more bytes than one call may carry."""
        batch: list[Outgoing] = []
        room = BATCH_BYTES
        while self._waiting and len(batch) < MAX_BATCH:
            notice = self._notice(*self._waiting[0])
            room -= size_bytes(notice)
            if batch and room < 0:
                break
            batch.append(notice)
            self._waiting.popleft()
        return batch

    async def _publish(self, batch: list[Outgoing]) -> None:
        await self._topic.publish(batch)
        self._under_way.remove(batch)
        self._changed.set()

    def _notice(self, report: Report, count: int) -> Outgoing:
        texts = {"outcome": report.outcome.name, "fingerprint": report.fingerprint}
        if report.ending and report.ending.exit_code is not None:
            texts["exit_code"] = str(report.ending.exit_code)
        return Outgoing(
            subject=_subject(report, self._service or report.message.queue, count),
            body=self._text(report, count),
            attributes={
                name: Attribute(type="String", value=value) for name, value in texts.items()
            },
            group_id=report.fingerprint if self._topic.fifo else None,
            dedup_id=self._world.name() if self._topic.fifo else None,
        )

    def _text(self, report: Report, count: int) -> str:
        message, content, usage = report.message, report.content, report.usage
        facts = {
            "When": date(self._world.wall()),
            "Service": self._service or message.queue,
            "Queue": message.queue,
            "Outcome": f"{report.outcome.name}: the message {report.outcome.fate.value}",
            "Ending": report.how,
            "Duration": f"{report.duration_s:.3f} s",
            "CPU": "" if usage.cpu_s is None else f"{usage.cpu_s:.3f} s",
            "Peak memory": "" if usage.memory_mb is None else f"{usage.memory_mb:.1f} MB",
            "Receives": str(message.receives),
            **self._container,
            "Alike": f"{count} failures like this one" if count > 1 else "",
            "MessageId": message.id,
            "MessageGroupId": message.group or "",
            "Subject": " ".join(content.subject.split()),  # so that it cannot fake another fact
            "Message": content.body,
        }
        lines = [f"{name}: {value}" for name, value in facts.items() if value]
        text = "\n".join([*lines, "", "Last output:", report.tail or "(none)"])
        return clean(text).encode()[:MAX_TEXT_BYTES].decode(errors="ignore")


class _Window:
    """Failures of one fingerprint within a minute."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.told = 0
        self.gathered = 0
        self.latest: Report | None = None


def _subject(report: Report, service: str, count: int) -> str:
    many = f"{count} x " if count > 1 else ""
    text = f"watchbot: {many}{report.outcome.name} ({report.how}) in {service}"
    printable = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    return printable[:99]  # SNS refuses 100 characters, and all but printable ASCII


def _without_bulk(report: Report) -> Report:
    # A thousand reports may wait for a topic that does not answer, and a body may be a megabyte.
    return replace(
        report,
        message=replace(report.message, body=""),
        content=replace(report.content, body=_cut(report.content.body)),
    )


def _cut(body: str) -> str:
    rest = len(body) - MAX_BODY_CHARACTERS
    return body if rest <= 0 else f"{body[:MAX_BODY_CHARACTERS]}... ({rest} more characters)"
