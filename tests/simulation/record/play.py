"""Plays a history: the real recorder and its writer, in replicas that die and come back."""

import asyncio
import functools
import sqlite3
from datetime import UTC, datetime
from random import Random
from typing import Any

from tests.simulation.inline import SHOWN_URL, connect
from tests.simulation.judging import Judge
from tests.simulation.jumping import JumpingLoop, elapse, run
from tests.simulation.playing import Played
from tests.simulation.quiet import quiet
from tests.simulation.record.database import SimulatedDatabase, Store
from tests.simulation.record.history import (
    DEFINITION,
    ESSENTIAL,
    QUEUE_FAULTS,
    Deed,
    History,
    Sent,
)
from tests.simulation.record.laws import REJECTED, Laws
from tests.simulation.record.queue import Wire
from tests.simulation.record.weather import Weather
from watchbot.errors import DatabaseDown
from watchbot.lifecycle import Stop
from watchbot.record.event import OtherEvent, TaskState, read
from watchbot.record.service import Recorder
from watchbot.record.tables import COMPONENT, PACKAGE
from watchbot.record.writer import Reject, learn_definition, write
from watchbot.settings.record import RecordSettings
from watchbot.sql.migrate import migrate
from watchbot.sqs.memory import MemoryQueue
from watchbot.world import World

START_S = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
MOST_STEPS = 200_000
SETTLE_S = 900  # in which all must be written once all is well: a lost receive hides for 180 s
CALM_S = 60  # in which each recorder hears of the queue: an open poll lasts 20 s
LOOK_S = 5
AGAIN_S = 1
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'ecs_%'"


def play(history: History) -> Played:
    """Plays a history; each play gives an equal result."""
    with quiet():
        return _played(history)


def _played(history: History) -> Played:
    loop = JumpingLoop(MOST_STEPS)
    connection = _emptied("house")
    house = _House(history, loop, connection)
    try:
        run(loop, house.story())
        calm = _emptied("calm")
        run(JumpingLoop(MOST_STEPS), _write_calmly(history, calm))
        house.laws.over(house.left(), _rows(connection), _rows(calm))
    except Exception as error:
        _connected.cache_clear()  # whatever was played may still hold a transaction open
        house.laws.gave_up(error)
    return Played(
        lines=house.laws.lines,
        broken=house.laws.broken,
        seconds=loop.time(),
        runs=len(history.messages),
        faults=house.laws.injected,
        checked=house.laws.checked,
    )


class _Replica:
    """A recorder that lives, dies, and lives again as another process."""

    def __init__(self, house: "_House", number: int) -> None:
        self._house, self._number, self._lives = house, number, 0
        self._task: asyncio.Task[None] | None = None
        self._draining = 0  # lives that are told to end

    @property
    def name(self) -> str:
        return f"recorder {self._number}.{self._lives}"

    def live(self) -> None:
        if self._task is not None:
            return
        self._lives += 1
        house = self._house
        house.laws.say(self.name, "starts")
        self._stop = Stop()
        self._database = SimulatedDatabase(house.store, self.name)
        self._wire = Wire(house.memory, house.weather, house.laws, self.name)
        self._recorder = Recorder(house.settings, self._wire, self._database, house.world)
        self._task = asyncio.get_running_loop().create_task(self._recorder.run(self._stop))
        self._task.add_done_callback(functools.partial(self._ended, self._stop))

    def kill(self) -> None:
        if self._task is not None:
            self._house.laws.say(self.name, "is killed")
            self._wire.cut = self._database.cut = True
            self._stop.ask()  # so that its end is none of its own
            self._task.cancel()
            self._task = None

    async def end(self) -> bool:
        """Drains it, and waits for its end; whether it lived, and none of its lives goes on."""
        if self._task is None:
            return False
        self._house.laws.say(self.name, "drains")
        self._stop.ask()
        task, self._task = self._task, None
        self._draining += 1
        await task
        self._draining -= 1
        return self._task is None and not self._draining

    def check_ready(self) -> None:
        trouble = self._recorder.unready()
        self._house.laws.check(trouble is None, "ready again", f"{self.name}: {trouble}")

    def _ended(self, stop: Stop, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        told = stop.draining.is_set() and (error is None or self._wire.cut)
        self._house.laws.check(told, "no crash", f"{self.name} ended: {error!r}")


class _House:
    """Everything that a history is about."""

    def __init__(self, history: History, loop: JumpingLoop, connection: sqlite3.Connection) -> None:
        self._history, self._connection = history, connection
        self.laws = Laws(loop.time)
        chance = Random(history.seed)
        self.world = World(now=loop.time, wall=lambda: START_S + loop.time(), chance=chance)
        self.weather = Weather(chance, history.faults, self.laws)
        self.store = Store(connection, self.weather, self._committed)
        self.memory = MemoryQueue(world=self.world)
        self.settings = RecordSettings(
            queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/events",
            database=SHOWN_URL,
            concurrency=history.concurrency,
            batch=history.batch,
            visibility_timeout=history.visibility_s,
            give_up_after=0,
        )
        self._replicas = [_Replica(self, number) for number in range(history.recorders)]
        self._errands: list[asyncio.Task[None]] = []

    def left(self) -> int:
        """How many messages the queue has."""
        return self._count("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    async def story(self) -> None:
        for replica in self._replicas:
            replica.live()
        happening: list[Sent | Deed] = [*self._history.messages, *self._history.deeds]
        for each in sorted(happening, key=lambda each: each.at):
            await elapse(max(0, each.at - self.laws.now()))
            if isinstance(each, Sent):
                self._send(each)
            else:
                self._errands.append(asyncio.create_task(self._do(each)))
        await elapse(max(0, self._history.seconds - self.laws.now()))
        self.laws.say("world", "is well from now on")
        self.weather.calm()
        await asyncio.gather(*self._errands)
        await self._settle()
        await elapse(CALM_S)
        for replica in self._replicas:
            replica.check_ready()
        for replica in self._replicas:
            await replica.end()

    async def _settle(self) -> None:
        for replica in self._replicas:
            replica.live()
        for _ in range(SETTLE_S // LOOK_S):
            await elapse(LOOK_S)
            self._facts = await self.memory.facts()
            if not self.left():
                return

    def _count(self, *names: str) -> int:
        return sum(int(self._facts[name]) for name in names)

    def _send(self, sent: Sent) -> None:
        message_id = self.memory.send(sent.body())
        self.laws.sent[message_id] = sent
        self.laws.say("ecs", f"sends {sent.key}")

    async def _do(self, deed: Deed) -> None:
        self.laws.say("world", f"{deed.what} {deed.recorder} for {deed.seconds} s")
        replica = self._replicas[deed.recorder]
        match deed.what:
            case "kill":
                replica.kill()
                await elapse(deed.seconds)
                replica.live()
            case "drain":
                if await replica.end():
                    await self._look_after(replica)
                await elapse(deed.seconds)
                replica.live()
            case "database_away" | "queue_away":
                name = deed.what.removesuffix("_away")
                self.weather.away.add(name)
                await elapse(deed.seconds)
                self.weather.away.discard(name)
            case "learn":
                await self._learn()
            case _:
                raise ValueError(f"no such deed: {deed.what}")

    async def _look_after(self, replica: _Replica) -> None:
        """Looks what a recorder has left, where nothing else can have hidden a message."""
        others = {deed.what for deed in self._history.deeds} & {"kill", "queue_away"}
        if others or self._history.recorders > 1 or self._history.faults.keys() & set(QUEUE_FAULTS):
            return
        facts = await self.memory.facts()
        self.laws.drained(replica.name, int(facts["ApproximateNumberOfMessagesNotVisible"]))

    async def _learn(self) -> None:
        database = SimulatedDatabase(self.store, "reconciler")
        while True:
            try:
                await learn_definition(database, DEFINITION, ESSENTIAL)
            except DatabaseDown:
                await elapse(AGAIN_S)
            else:
                return

    def _committed(self, who: str) -> None:
        self.laws.committed(who, _rows(self._connection))


def _rows(connection: sqlite3.Connection) -> Any:
    return lambda query: connection.execute(query).fetchall()


async def _write_calmly(history: History, connection: sqlite3.Connection) -> None:
    """Writes each event once, in order, while nothing fails."""
    database = _sound(connection)
    each = {(sent.name, sent.version): sent for sent in history.messages}
    for key in sorted(each):
        await _write_one(database, each[key])
    if any(deed.what == "learn" for deed in history.deeds):
        await learn_definition(database, DEFINITION, ESSENTIAL)


async def _write_one(database: SimulatedDatabase, sent: Sent) -> None:
    body = sent.body()
    if sent.what in REJECTED:
        reject = Reject(message_id=sent.key, body=body, error="", receive_count=1)
        await write(database, rejects=[reject])
        return
    event = read(body, sent.key)
    if isinstance(event, TaskState):
        await write(database, tasks=[event])
    elif isinstance(event, OtherEvent):
        await write(database, others=[event])


def _emptied(name: str) -> sqlite3.Connection:
    """A database with empty tables: the same each time, so that SQLite knows its statements."""
    connection = _connected(name)
    for (table,) in connection.execute(_TABLES).fetchall():
        connection.execute(f"DELETE FROM {table}")
    return connection


@functools.cache
def _connected(name: str) -> sqlite3.Connection:
    connection = connect()
    run(JumpingLoop(1000), migrate(_sound(connection), COMPONENT, PACKAGE))
    return connection


def _sound(connection: sqlite3.Connection) -> SimulatedDatabase:
    """A database that never fails."""
    weather = Weather(Random(0), {}, Judge({}, lambda: 0))
    return SimulatedDatabase(Store(connection, weather, lambda who: None), "sound")
