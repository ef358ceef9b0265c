"""A watcher as tests build it: real, but for what runs the command and where messages come from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from watchbot.lifecycle import Stop
from watchbot.listen.breaker import Breaker
from watchbot.listen.care import Ending
from watchbot.listen.machine import Machine
from watchbot.listen.observers import Observer
from watchbot.listen.report import Report, Run, Verdict
from watchbot.listen.reserve import Reserve
from watchbot.listen.runner import Job, Runner
from watchbot.listen.watcher import Parts, Watcher
from watchbot.outcome import (
    LEAVING,
    RELEASED,
    ExitCodes,
    Outcome,
)
from watchbot.settings.base import load
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.consumer import Weighted
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue
from watchbot.sqs.valve import Valve
from watchbot.world import REAL, World


def nothing() -> None:
    """Finds that a machine has all that a worker needs."""


def a_watcher(
    settings: WatcherSettings,
    queue: Queue | list[Weighted],
    runner: Runner,
    observers: Sequence[Observer] = (),
    **more: Any,
) -> Watcher:
    """A watcher of `queue`, or of several, that has `runner` run what comes.

    `more` are further parts, and the `world` whose clock it goes by.
    """
    queues = [Weighted(queue)] if not isinstance(queue, list) else queue
    letters = more.pop("dead_letters", None)
    valve = Valve(more.pop("world", REAL))
    breaker = Breaker(settings.breaker, valve)
    parts = Parts(
        queues=queues,
        strict=more.pop("strict", False),
        dead_letters={} if letters is None else {each.queue.name: letters for each in queues},
        runner=runner,
        machine=Machine(Reserve(nothing), valve),
        valve=valve,
        breaker=breaker,
        observers=[breaker, *observers],
        **more,
    )
    return Watcher(settings, parts)


class FakeRunner:
    """Gives each message the verdict of its next exit code; keeps what it was asked for.

    A message whose body is in `held_up` runs until `go_on`, or until all are released.
    """

    def __init__(
        self, codes: Mapping[str, Sequence[int]] | None = None, held_up: Sequence[str] = ()
    ) -> None:
        self._codes = {body: list(codes) for body, codes in (codes or {}).items()}
        self._held_up = set(held_up)
        self._gates: dict[str, anyio.Event] = {}
        self._released = anyio.Event()
        self.batches: list[list[str]] = []
        self.slots: list[int] = []
        self.running = 0
        self.cleared: list[int] = []
        self.killed: list[str] = []

    @property
    def ran(self) -> list[str]:
        """The bodies for which the command ran, in order."""
        return [body for batch in self.batches for body in batch]

    def __len__(self) -> int:
        return self.running

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        for job in batch:
            job.leave_seat()
        self.batches.append([job.message.body for job in batch])
        self.slots.append(slot)
        self.running += 1
        await self._wait([job.message.body for job in batch])
        self.running -= 1
        run = Run(id=f"run-{len(self.batches)}", duration_s=0.1)
        if self._released.is_set():
            return [Verdict(outcome=RELEASED, reason=LEAVING, run=run)] * len(batch)
        return [self._verdict(job, run) for job in batch]

    async def clear(self, slot: int) -> None:
        self.cleared.append(slot)

    def kill(self, message: Message) -> None:
        self.killed.append(message.body)

    def release_all(self) -> None:
        self._released.set()
        for gate in self._gates.values():
            gate.set()

    def go_on(self, body: str) -> None:
        self._held_up.discard(body)
        self._gates[body].set()

    async def _wait(self, bodies: Sequence[str]) -> None:
        for body in self._held_up.intersection(bodies):
            await self._gates.setdefault(body, anyio.Event()).wait()

    def _verdict(self, job: Job, run: Run) -> Verdict:
        codes = self._codes.get(job.message.body)
        code = codes.pop(0) if codes else 0
        return Verdict(outcome=ExitCodes().outcome(code), ending=Ending(exit_code=code), run=run)


class Told:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def observe(self, report: Report) -> None:
        self.reports.append(report)

    @property
    def outcomes(self) -> list[tuple[str, Outcome]]:
        return [(report.message.body, report.outcome) for report in self.reports]

    @property
    def reasons(self) -> list[tuple[str, str | None]]:
        return [(report.message.body, report.reason) for report in self.reports]


class Quick(MemoryQueue):
    """A queue whose polls are soon back, as no other process sends to it.

    `receives` counts the polls that began, `handed_out` the messages that they brought.
    """

    receives = handed_out = 0

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        self.receives += 1
        if messages := await super().receive(count, 0, visibility_s):
            self.handed_out += len(messages)
            return messages
        await anyio.sleep(0.01)  # a poll that yields to the other tasks
        return await super().receive(count, 0, visibility_s)


def some_settings(**options: Any) -> WatcherSettings:
    facts = {"exit_when_empty": True, "poll_wait": 1, "exit_wait": 0, "max_backoff": 0}
    return load(WatcherSettings, {**facts, **options})


def a_queue(
    *bodies: str, name: str = "memory", group: str | None = None, world: World = REAL
) -> Quick:
    queue = Quick(name, world=world)
    for body in bodies:
        queue.send(body, group=group)
    return queue


async def left(queue: MemoryQueue) -> tuple[int, int]:
    """How many messages of a queue are visible, and how many are hidden."""
    facts = await queue.facts()
    visible = facts["ApproximateNumberOfMessages"]
    return int(visible), int(facts["ApproximateNumberOfMessagesNotVisible"])


async def worked_off(watcher: Watcher, stop: Stop | None = None) -> None:
    with anyio.fail_after(30):
        await watcher.run(stop or Stop())


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.001)  # a condition announces nothing
