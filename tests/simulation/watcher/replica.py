"""A watcher of the simulation, put together as `watchbot.listen.service` does it."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import anyio

from tests.simulation.jumping import elapse
from tests.simulation.watcher.laws import Laws
from tests.simulation.watcher.processes import Machine
from tests.simulation.watcher.queue import SimulatedQueue, Weather, Wire
from tests.simulation.watcher.shops import open_runner
from tests.support.builders import a_report
from watchbot.aws import Client
from watchbot.errors import Unreachable
from watchbot.lifecycle import Stop
from watchbot.listen.agent import AgentAnswer
from watchbot.listen.breaker import Breaker
from watchbot.listen.choosing import start
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.ends import Ends
from watchbot.listen.failures import Failures
from watchbot.listen.lines import Lines
from watchbot.listen.looks import QueueWatch, look_first
from watchbot.listen.machine import Machine as RealMachine
from watchbot.listen.notices import Notices
from watchbot.listen.notify import Notifier
from watchbot.listen.observers import Observer
from watchbot.listen.planner import Planner, draining
from watchbot.listen.protection import Protection, protecting
from watchbot.listen.report import Report, Run
from watchbot.listen.reserve import Reserve
from watchbot.listen.watcher import Parts, Watcher
from watchbot.outcome import COMPLETED
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.consumer import Weighted
from watchbot.sqs.destination import Result
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.sqs.valve import Valve
from watchbot.world import World

LATEST_S = 8


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What all watchers of a history share."""

    queue: SimulatedQueue  # the first
    queues: Sequence[SimulatedQueue]
    dead: MemoryQueue
    settings: WatcherSettings
    options: dict[str, Any]
    weather: Weather
    chance: Random
    laws: Laws


async def watch(around: Surroundings, machine: Machine, stop: Stop, wires: Sequence[Wire]) -> None:
    """Runs a watcher to its end."""
    settings, world, laws = around.settings, machine.world, around.laws
    async with AsyncExitStack() as house:
        valve = Valve(world)
        breaker = Breaker(settings.breaker, valve, world)
        observers: list[Observer] = [Lines(world), breaker, Failures(world)]
        notifier = None
        if around.options["notify"]:
            notifier = await _open_notifier(house, around, world)
            observers.append(Notices(notifier, breaker))
        observers.append(Hearing(laws, machine.watcher, breaker))
        protection = await _protect(house, around, machine, valve)
        ends = Ends(settings, stop)
        runner = await open_runner(house, settings, machine, ends)
        observers += await _plan(house, around, stop, ends)
        parts = Parts(
            queues=list(map(Weighted, wires, laws.history.weights)),
            strict=around.options.get("queue_order") == "strict",
            runner=runner,
            machine=RealMachine(_reserve(settings, machine), valve, world),
            valve=valve,
            breaker=breaker,
            observers=observers,
            dead_letters=_dead_letters(around, world, [wire.name for wire in wires]),
            protection=protection,
        )
        watcher = Watcher(settings, parts)
        if notifier is not None:
            notifier.hurry(lambda: watcher.left_s)
        if around.options.get("looks"):  # kept histories may lack it
            pairs = zip(watcher.sources, wires, strict=True)
            await _look(house, [QueueWatch(*pair, world) for pair in pairs], stop)
        await start(runner, stop)
        await watcher.run(stop)


async def _protect(
    house: AsyncExitStack, around: Surroundings, machine: Machine, valve: Valve
) -> Protection | None:
    if around.settings.no_protection:
        return None
    agent = Agent(around, machine.watcher)
    return await house.enter_async_context(
        protecting("http://agent", valve.close, world=machine.world, ask=agent.ask)
    )


async def _look(house: AsyncExitStack, looks: Sequence[QueueWatch], stop: Stop) -> None:
    """Has the queues looked at from now on; returns after the first looks."""
    await look_first(looks, stop)
    background = await house.enter_async_context(anyio.create_task_group())
    house.callback(background.cancel_scope.cancel)
    for each in looks:
        background.start_soon(each.for_ever)


async def _plan(
    house: AsyncExitStack, around: Surroundings, stop: Stop, ends: Ends
) -> Sequence[Observer]:
    """Has the drain begin at `stop`; the observers that plan it, where that is on."""
    planner = None
    if around.options.get("planned"):  # kept histories may lack it
        planner = Planner(ends)
        for number in range(26):  # it has seen runs of nine seconds, and a few of a minute
            run = Run(id=str(number), duration_s=9 if number < 20 else 60)
            planner.observe(a_report(number, outcome=COMPLETED, run=run))
    await house.enter_async_context(draining(stop, ends, around.settings.drain_timeout, planner))
    return [planner] if planner else []


def _reserve(settings: WatcherSettings, machine: Machine) -> Reserve:
    most = settings.slots if settings.warm == "off" else 0
    return Reserve(machine.check, machine.world, most=most)


async def _open_notifier(house: AsyncExitStack, around: Surroundings, world: World) -> Notifier:
    topic = cast(Client, Topic(around))
    notifier = Notifier(topic, "arn:aws:sns:us-east-1:123456789012:t", "s", {}, world)
    publishing = await house.enter_async_context(anyio.create_task_group())
    publishing.start_soon(notifier.run)
    house.callback(publishing.cancel_scope.cancel)
    house.push_async_callback(notifier.close)
    return notifier


def _dead_letters(
    around: Surroundings, world: World, queues: Sequence[str]
) -> dict[str, DeadLetters]:
    attempts, most = around.options["max_attempts"], around.laws.history.most_receives
    if not attempts:
        return {}
    letters = DeadLetters(
        Letters(around), max_attempts=attempts, last_receive=most or 4 * attempts, world=world
    )
    return dict.fromkeys(queues, letters)


class Hearing:
    """An observer that tells the laws what it hears."""

    def __init__(self, laws: Laws, watcher: str, breaker: Breaker) -> None:
        self._laws, self._watcher, self._breaker = laws, watcher, breaker
        self._succeeded = False

    def observe(self, report: Report) -> None:
        self._laws.reported(self._watcher, report)
        if report.outcome.name == "completed" and report.ending is not None:
            self._succeeded = True
        self._laws.breaker(self._watcher, is_open=self._breaker.open, succeeded=self._succeeded)


class Letters:
    """The dead-letter queue as a destination."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    @property
    def fifo(self) -> bool:
        return self._around.dead.fifo

    def fit(self, message: Outgoing) -> Outgoing:
        return message

    async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
        await elapse(0.005)
        if self._around.queue.happens("letters"):
            await elapse(self._around.chance.uniform(0, LATEST_S))
            if self._around.chance.random() < 0.5:
                raise Unreachable(service="SQS", operation="send", code="Sim", text="as simulated")
            return [Unsent(code="InternalError", text="as simulated", passing=True)] * len(messages)
        return [self._send(message) for message in messages]

    def _send(self, message: Outgoing) -> str:
        laws = self._around.laws
        found = self._around.dead.send(
            message.body, group=message.group_id, MessageDeduplicationId=message.dedup_id or ""
        )
        laws.dead_letter(message.body)
        return found


class Topic:
    """A client of SNS."""

    service = "sns"

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def call(self, operation: str, **given: Any) -> Any:
        await elapse(0.005)
        if self._around.queue.happens("topic"):
            await elapse(self._around.chance.choice((0, 10)))
            raise Unreachable(service="SNS", operation=operation, code="Sim", text="as simulated")
        entries = given.get("PublishBatchRequestEntries", ())
        return {"MessageId": "1", "Successful": [{"Id": each["Id"]} for each in entries]}


class Agent:
    """The agent of ECS."""

    def __init__(self, around: Surroundings, watcher: str) -> None:
        self._around, self._life = around, around.laws.lives[watcher]
        self._life.protected = False

    async def ask(
        self, method: str, url: str, request: Any = None, *, within_s: float
    ) -> AgentAnswer:
        await elapse(0.005)
        if self._around.queue.happens("agent"):
            await elapse(within_s)
            raise OSError("no answer, as simulated")
        self._life.protected = request["ProtectionEnabled"]
        return AgentAnswer(status=200, content={"protection": {}})
