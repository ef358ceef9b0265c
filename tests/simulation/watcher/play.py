"""Plays a history: real watchers on one queue, that are stopped, killed, and started again."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from random import Random

from tests.simulation.jumping import PROCESS, JumpingLoop, elapse, run
from tests.simulation.playing import Played
from tests.simulation.quiet import quiet
from tests.simulation.watcher.history import Event, History, Planned, Sent
from tests.simulation.watcher.laws import Laws
from tests.simulation.watcher.processes import Machine
from tests.simulation.watcher.queue import DeadLetterQueue, SimulatedQueue, Weather, Wire
from tests.simulation.watcher.replica import Surroundings, watch
from watchbot.errors import AwsError, UsageError
from watchbot.lifecycle import Stop
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.pause import PAUSED
from watchbot.world import World

START = 1_800_000_000.0
MOST_STEPS = 600_000
SETTLE_S = 40 * 3600  # until all is done, once all is well: runs of 13 hours are tried again
LOOK_S = 3
REST_S = 8
AGAIN_S = (2, 60)  # until another watcher starts; twice as long after each that had no message
AT_ONCE = Planned(lasts=0.01)


def play(history: History) -> Played:
    """Plays a history; each play gives an equal result."""
    loop = JumpingLoop(MOST_STEPS)
    laws = Laws(history, loop.time)
    world = _World(history, loop, laws)
    with _hearing(laws):
        try:
            run(loop, world.story())
        except Exception as error:
            laws.gave_up(error)
    for machine in laws.machines.values():
        for process in machine.processes:
            process.close()
    return Played(
        lines=laws.lines,
        broken=laws.broken,
        seconds=loop.time(),
        runs=laws.runs,
        faults=laws.injected + len(history.events),
        checked=laws.checked,
    )


class _Replica:
    """A place for a watcher: when one has left, another takes it."""

    def __init__(self, world: "_World", number: int) -> None:
        self._world, self._number, self._lives = world, number, 0
        self._again_s = AGAIN_S[0]
        self.name = ""
        self.machine: Machine
        self._wires: list[Wire] = []
        self._stop: Stop
        self._context: Context
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()

    def live(self) -> None:
        """Starts a watcher, which is another process each time."""
        self._lives += 1
        self.name = f"watcher {self._number}.{self._lives}"
        around = self._world.around
        settings = around.settings
        slots = settings.slots
        self._world.laws.lives_on(self.name, slots * settings.batch_size, slots)
        self._world.laws.queues.lives_on(self.name)
        self._wires = [Wire(queue, self.name) for queue in around.queues]
        self.machine = self._world.machine(self.name)
        self._context = copy_context()
        self._context.run(PROCESS.set, self.name)
        self._stop = Stop()
        self._task = asyncio.get_running_loop().create_task(
            self._run(self._stop, self.machine, self._wires), context=self._context
        )

    async def _run(self, stop: Stop, machine: Machine, wires: list[Wire]) -> None:
        name, laws = machine.watcher, self._world.laws
        try:
            await watch(self._world.around, machine, stop, wires)
        except* AwsError as refused:
            laws.gives_up(name, repr(refused.exceptions[0]))
        except* UsageError as unfit:
            laws.cannot_work(name, repr(unfit.exceptions[0]))
        if not machine.dead:
            laws.left(name, self._world.around.settings.drain_timeout)
            self._world.left(self, self._wait_s(idle=not laws.lives[name].deliveries))

    def _wait_s(self, *, idle: bool) -> int:
        """How long the place stays empty: ECS, too, waits longer for a task that keeps leaving."""
        shortest, longest = AGAIN_S
        self._again_s = min(2 * self._again_s, longest) if idle else shortest
        return self._again_s

    def terminate(self) -> None:
        """Sends SIGTERM, which a watcher that stands still hears once it goes on."""
        if self.alive:
            self._world.loop.call_soon(self._ask, self.name, self._stop, context=self._context)

    def _ask(self, watcher: str, stop: Stop) -> None:
        self._world.laws.asked_to_stop(watcher, forced=stop.draining.is_set())
        stop.ask()

    def kill(self) -> None:
        """Sends SIGKILL: nothing that the watcher still does has any effect."""
        if self._task and self.alive:
            self._world.laws.killed(self.name)
            for wire in self._wires:
                wire.cut = True
            self.machine.kill()
            self._world.loop.thaw(self.name)
            self._task.cancel()
            self._world.dying[self._task] = None
            self._task = None

    async def over(self) -> None:
        if self._task:
            await asyncio.wait([self._task])


class _World:
    def __init__(self, history: History, loop: JumpingLoop, laws: Laws) -> None:
        self._history, self.loop, self.laws = history, loop, laws
        self._chance = Random(history.seed)
        self.weather = Weather(dict(history.faults))
        self._jumped_s = 0.0
        self._plans = {message.name: list(message.runs) for message in history.messages}
        world = World(now=loop.time, wall=self._wall, chance=Random(f"{history.seed} queue"))
        suffix = ".fifo" if history.fifo else ""
        self._dead = DeadLetterQueue(f"dead{suffix}", world)
        self._memories = [
            MemoryQueue(
                f"work{number or ''}{suffix}",
                dead_letter=self._dead if history.most_receives else None,
                max_receives=history.most_receives,
                world=world,
            )
            for number in range(len(history.weights))
        ]
        for memory, weight in zip(self._memories, history.weights, strict=True):
            laws.queues.open(memory.name, weight)
        queues = [
            SimulatedQueue(memory, laws, self._chance, self.weather) for memory in self._memories
        ]
        ours = ("notify", "planned", "looks", "queue_order")
        options = {name: value for name, value in history.options.items() if name not in ours}
        self.around = Surroundings(
            queue=queues[0],
            queues=queues,
            dead=self._dead,
            settings=WatcherSettings.model_construct(**options, batch_size=history.batch_size),
            options=dict(history.options),
            weather=self.weather,
            chance=self._chance,
            laws=laws,
        )
        self._replicas = [_Replica(self, number) for number in range(history.watchers)]
        self.dying: dict[asyncio.Task[None], None] = {}
        self._frozen = set[str]()
        self._over = False

    async def story(self) -> None:
        for replica in self._replicas:
            replica.live()
        async with asyncio.TaskGroup() as deeds:
            for message in self._history.messages:
                deeds.create_task(self._send(message))
            for event in self._history.events:
                deeds.create_task(self._in_time(event))
            await elapse(self._history.seconds)
        self.weather.clear_up()
        self.laws.say("history", "all is well")
        if not self.weather.deleted:
            await self._settle()
        await self._leave()
        if not self.weather.deleted:
            self.laws.all_is_done(self._dead.names)

    async def _send(self, message: Sent) -> None:
        await elapse(message.at)
        if self.weather.deleted:
            return
        group = message.group if self._history.fifo else None
        memory = self._memories[message.queue]
        message_id = memory.send(message.name, group=group)
        self.laws.sent(message_id, message.name, message.group, memory.name)

    async def _settle(self) -> None:
        ends = self.loop.time() + SETTLE_S
        while not (done := await self._all_done()) and self.loop.time() < ends:
            if self.laws.broken:
                return
            await elapse(LOOK_S if self.loop.time() < 3600 else 20 * LOOK_S)
        self.laws.check(done, "all done", f"not in {SETTLE_S / 3600:.0f} hours")
        self.laws.rests()
        rest_s = self.around.settings.poll_wait + REST_S  # polls that were open are over then
        await elapse(rest_s)
        for replica in self._replicas:
            if replica.alive:
                self.laws.at_rest(replica.name, rest_s)

    async def _leave(self) -> None:
        self._over = True
        for replica in self._replicas:
            replica.terminate()
        for replica in self._replicas:
            await replica.over()
        if self.dying:
            await asyncio.wait(self.dying)
        for queue in self.around.queues:
            queue.close()

    async def _all_done(self) -> bool:
        for memory in self._memories:
            facts = await memory.facts()
            if any(int(facts[name]) for name in facts if name.startswith("Approximate")):
                return False
        return True

    # What happens.

    async def _in_time(self, event: Event) -> None:
        await elapse(event.at)
        self.laws.say("history", f"{event.what} {event.watcher} {event.seconds:g} s")
        await getattr(self, f"_{event.what}")(event, self._replicas[event.watcher])

    async def _terminate(self, event: Event, replica: _Replica) -> None:
        replica.terminate()

    async def _terminate_twice(self, event: Event, replica: _Replica) -> None:
        replica.terminate()
        await elapse(event.seconds)
        replica.terminate()

    async def _kill(self, event: Event, replica: _Replica) -> None:
        replica.kill()
        await elapse(event.seconds)
        if not replica.alive:
            replica.live()

    async def _freeze(self, event: Event, replica: _Replica) -> None:
        name, seconds = replica.name, event.seconds * 3
        if name in self._frozen:
            return
        self._frozen.add(name)
        self.loop.freeze(name)
        await elapse(seconds)
        self.laws.stood_still(name, seconds)
        self.loop.thaw(name)
        self._frozen.discard(name)

    async def _away(self, event: Event, replica: _Replica) -> None:
        self.weather.away = True
        await elapse(event.seconds)
        self.weather.away = False

    async def _deny_delete(self, event: Event, replica: _Replica) -> None:
        await self._deny("delete", event)

    async def _deny_hide(self, event: Event, replica: _Replica) -> None:
        await self._deny("hide", event)

    async def _deny_receive(self, event: Event, replica: _Replica) -> None:
        await self._deny("receive_message", event)

    async def _deny(self, operation: str, event: Event) -> None:
        self.weather.denied = operation
        await elapse(event.seconds)
        self.weather.denied = ""

    async def _delete_queue(self, event: Event, replica: _Replica) -> None:
        self.weather.deleted = True

    async def _pause(self, event: Event, replica: _Replica) -> None:
        memory = self._memories[event.queue]
        await memory.tag({PAUSED: "as simulated"})
        self.laws.queues.paused(memory.name)
        await elapse(event.seconds)
        await memory.untag([PAUSED])
        self.laws.queues.resumed(memory.name)

    async def _set_clock(self, event: Event, replica: _Replica) -> None:
        self._jumped_s += (event.seconds - 10) * 100

    async def _no_room(self, event: Event, replica: _Replica) -> None:
        machine = replica.machine
        machine.full = True
        await elapse(event.seconds)
        machine.full = False

    # What watchers are given.

    def machine(self, watcher: str) -> Machine:
        """What the processes of a watcher run on."""
        chance = Random(f"{self._history.seed} {watcher}")
        machine = self.laws.machines[watcher] = Machine(
            watcher=watcher,
            laws=self.laws,
            outside=self.around.queue.outside,
            plan=self._plan,
            world=World(now=self.loop.time, wall=self._wall, chance=chance),
            happens=self.around.queue.happens,
        )
        return machine

    def left(self, replica: _Replica, wait_s: float) -> None:
        """Hears that a watcher has left: another one is started."""
        if not self._over:
            self.loop.call_later(wait_s, self._again, replica, context=self.around.queue.outside)

    def _again(self, replica: _Replica) -> None:
        if not self._over and not replica.alive:
            replica.live()

    def _plan(self, message_id: str) -> Planned:
        runs = self._plans[self.laws.known[message_id].name]
        return runs.pop(0) if runs else AT_ONCE

    def _wall(self) -> float:
        return START + self.loop.time() + self._jumped_s


class _Listener(logging.Handler):
    def __init__(self, laws: Laws) -> None:
        super().__init__(logging.ERROR)
        self._laws = laws

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            error = record.exc_info[1]
            text = f"{PROCESS.get()} logs {record.getMessage()}: {error!r}"
            self._laws.check(self._laws.is_dead(PROCESS.get()), "no crash", text)


@contextmanager
def _hearing(laws: Laws) -> Iterator[None]:
    """Tells the laws of every traceback that is logged."""
    listener = _Listener(laws)
    with quiet(logging.ERROR) as log:
        log.addHandler(listener)
        try:
            yield
        finally:
            log.removeHandler(listener)
