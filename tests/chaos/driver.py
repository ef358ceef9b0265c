"""Sends numbered messages to watchers behind a bad network, and breaks things meanwhile."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.crews import BATCH, LAMBDA, LINES, PROCESS, Crew
from tests.chaos.plan import Plan, plan_of, read_ledger
from tests.chaos.proxy import ALL_FAULTS, NO_FAULTS, Faults, Proxy, running_proxy
from tests.chaos.watchers import Fleet, open_files, rss_bytes
from tests.support import promises
from tests.support.promises import Line
from tests.support.sqs_server import running_sqs_server
from watchbot.sqs.memory import MemoryQueue

WATCHERS = 3
SEND_EVERY_S = 0.1
LOOK_EVERY_S = 0.05
SETTLE_S = 120  # what all that is left may take once the chaos is over
RSS_GROWTH_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is run, and what happens to it."""

    name: str
    crew: Crew = PROCESS
    fifo: bool = False
    faults: Faults = NO_FAULTS
    blows: tuple[str, ...] = ("terminate",)
    visibility_s: int = 30
    max_backoff_s: int = 1  # what fails for ever takes that for each of its receives
    max_receives: int = 20  # blows take receives, too; so many fall on no one message

    @property
    def gentle(self) -> bool:
        """Nothing in it excuses a second run."""
        return self.faults == NO_FAULTS and self.blows == ("terminate",)

    def plan_of(self, number: int) -> Plan:
        """The plan of a message."""
        # In a FIFO batch, those behind one that fails for ever spend its receives, and die with it.
        return plan_of(number, poison=not (self.fifo and self.crew.takes_batches))


BLOWS = ("kill", "terminate", "insist", "stop", "kill_worker", "kill_worker")


def _rough(name: str, crew: Crew = PROCESS, *, fifo: bool = False) -> Scenario:
    return Scenario(name=name, crew=crew, fifo=fifo, faults=ALL_FAULTS, blows=BLOWS, visibility_s=3)


SCENARIOS = [
    Scenario(name="terminate"),
    _rough("all"),
    _rough("all-fifo", fifo=True),
    Scenario(name="batch-terminate", crew=BATCH),
    _rough("batch", BATCH),
    _rough("batch-fifo", BATCH, fifo=True),
    Scenario(name="lines-terminate", crew=LINES),
    _rough("lines", LINES),
    Scenario(name="lambda-terminate", crew=LAMBDA),
    _rough("lambda", LAMBDA),
    _rough("lambda-fifo", LAMBDA, fifo=True),
]


@dataclass(slots=True, kw_only=True)
class Result:
    """The result of a scenario. `wrong` is empty if all rules held."""

    wrong: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        said = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return "\n  ".join([said, *self.wrong[:20]])


@dataclass(slots=True, kw_only=True)
class Stage:
    """The queue, the proxy before it, and the watchers behind that."""

    queue: MemoryQueue
    dead: MemoryQueue
    proxy: Proxy
    fleet: Fleet
    numbers: dict[str, int] = field(default_factory=dict)  # by message id

    def send(self, plans: list[Plan]) -> None:
        for plan in plans:
            group = plan.group if self.queue.fifo else None
            self.numbers[self.queue.send(plan.body, group=group)] = plan.number

    def ledger(self) -> list[Line]:
        path = self.fleet.ledger
        return read_ledger(path.read_text()) if path.exists() else []

    async def empty(self) -> bool:
        facts = await self.queue.facts()
        return not any(int(facts[name]) for name in facts if name.startswith("Approximate"))


@asynccontextmanager
async def staged(scenario: Scenario, seed: int, home: Path) -> AsyncIterator[Stage]:
    """All of it, running, until the block is left; nothing is left of it then."""
    suffix = ".fifo" if scenario.fifo else ""
    fifo = {"FifoQueue": "true"} if scenario.fifo else {}
    async with running_sqs_server() as sqs:
        port = int(sqs.url.rpartition(":")[2])
        async with running_proxy(port, scenario.faults, seed) as proxy:
            sqs.create({"QueueName": f"dead{suffix}", "Attributes": fifo})
            redrive = {
                "deadLetterTargetArn": sqs.queue(f"dead{suffix}").arn,
                "maxReceiveCount": scenario.max_receives,
            }
            attributes = {**fifo, "RedrivePolicy": json.dumps(redrive)}
            sqs.create({"QueueName": f"work{suffix}", "Attributes": attributes})
            fleet = Fleet(
                url=proxy.url,
                queue_url=f"{proxy.url}/123456789012/work{suffix}",
                home=home,
                options=(
                    *("--concurrency", "4", "--poll-wait", "1"),
                    *("--max-backoff", str(scenario.max_backoff_s)),
                    *("--visibility-timeout", str(scenario.visibility_s), "--breaker", "0"),
                    *scenario.crew.options,
                ),
                command=scenario.crew.command,
            )
            stage = Stage(
                queue=sqs.queue(f"work{suffix}"),
                dead=sqs.queue(f"dead{suffix}"),
                proxy=proxy,
                fleet=fleet,
            )
            try:
                yield stage
            finally:
                fleet.close()


async def play(scenario: Scenario, seed: int, home: Path, *, count: int, chaos_s: float) -> Result:
    """Plays one scenario to its end, and says what came of it.

    The messages are sent, and the blows fall, over the first `chaos_s`.
    """
    limit_s = chaos_s + SETTLE_S
    async with staged(scenario, seed, home) as stage:
        blows: Counter[str] = Counter()
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(stage, scenario, count, chaos_s))
            tasks.create_task(_strike(stage, scenario, seed, blows, began + chaos_s))
            finished = await _finished(stage, count, began + limit_s)
        took_s = time.monotonic() - began
        await asyncio.to_thread(stage.fleet.leave)
        result = await _judge(stage, scenario, count)
        if not finished:
            result.wrong.insert(0, f"not done after {limit_s:g} s")
        result.facts = {
            "scenario": scenario.name,
            "seed": seed,
            "took_s": round(took_s, 1),
            **result.facts,
            "blows": dict(blows),
            "requests": dict(stage.proxy.counts),
        }
        return result


async def _send(stage: Stage, scenario: Scenario, count: int, over_s: float) -> None:
    turns = max(1, int(over_s / SEND_EVERY_S))
    for turn in range(turns):
        span = range(count * turn // turns, count * (turn + 1) // turns)
        stage.send([scenario.plan_of(number) for number in span])
        await asyncio.sleep(SEND_EVERY_S)  # as senders do


async def _strike(
    stage: Stage, scenario: Scenario, seed: int, blows: Counter[str], until: float
) -> None:
    chance = random.Random(f"blows {seed}")
    fleet = stage.fleet
    # Each kind falls at least once, whatever the seed.
    agenda = chance.sample(scenario.blows, len(scenario.blows))
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.2, 1.0))  # between two blows
        while not (victims := fleet.victims()):
            await asyncio.sleep(LOOK_EVERY_S)  # a watcher that starts tells nobody
        victim, blow = chance.choice(victims), agenda[-1]
        if blow == "stop":
            fleet.stop(victim, scenario.visibility_s + 1)
        elif blow == "kill":
            fleet.kill(victim)
        elif blow == "terminate":
            fleet.terminate(victim)
        elif blow == "insist":
            fleet.insist(victim)
        else:
            while time.monotonic() < until and not any(map(fleet.kill_worker, fleet.victims())):
                await asyncio.sleep(0.01)  # workers are short, and announce themselves to nobody
        blows[blow] += 1
        agenda.pop()
        agenda = agenda or chance.sample(scenario.blows, len(scenario.blows))


async def _finished(stage: Stage, count: int, by: float) -> bool:
    """Keeps the watchers up until the queue is empty for good; False when that takes too long."""
    while time.monotonic() < by:
        stage.fleet.look_after(WATCHERS)
        if len(stage.numbers) == count and await stage.empty():
            return True
        await asyncio.sleep(LOOK_EVERY_S)  # a queue announces nothing
    return False


async def _judge(stage: Stage, scenario: Scenario, count: int) -> Result:
    fleet, ledger = stage.fleet, stage.ledger()
    abandoned = fleet.end_abandoned()
    await asyncio.sleep(0.1)  # for those just killed to be gone
    dead = await _numbers_in(stage.dead)
    everything = set(range(count))
    poison = {number for number in everything if scenario.plan_of(number).poison}
    again = promises.completed_again(ledger)
    wrong = list(fleet.faults)
    broken = {
        "nothing lost": promises.lost(everything, ledger, dead),
        "dead by the rule": promises.wrongly_dead(dead, poison)
        + [f"{number} was to die, and is not dead" for number in sorted(poison - dead)],
    }
    wrong += [
        f"{line.number} ended with {line.value}"
        for line in ledger
        if line.completes and line.value != scenario.plan_of(line.number).code
    ]
    wrong += [f"process {process} is left over" for process in fleet.left_over()]
    if scenario.gentle and again:
        broken["nothing twice"] = [f"{again} runs completed what was completed before"]
    if scenario.fifo:
        ours = [line for line in ledger if line.worker not in fleet.killed_workers]
        broken["in order"] = promises.out_of_order(ledger)
        broken["one at a time"] = promises.overlaps(ours, _doubtful(stage, ledger))
    wrong += [f"{law}: {text}" for law, texts in broken.items() for text in texts]
    starts = sum(line.word == "start" for line in ledger)
    facts = {"messages": count, "runs": starts, "again": again, "dead": len(dead)}
    return Result(wrong=wrong, facts={**facts, "abandoned": abandoned})


def _doubtful(stage: Stage, ledger: list[Line]) -> set[tuple[int, int]]:
    runs = {(line.number, line.watcher) for line in ledger}
    lost = {(stage.numbers[found], watcher) for found, watcher in stage.fleet.lost_leases()}
    return {run for run in runs if run in lost or run[1] in stage.fleet.doubted}


async def _numbers_in(queue: MemoryQueue) -> set[int]:
    found: list[int] = []
    while messages := await queue.receive(10, 0, 600):
        found += [int(message.body.split()[0]) for message in messages]
        await queue.delete(messages)
    return set(found)


async def measure_growth(home: Path, *, first: int, count: int) -> Result:
    """Memory and descriptors of an undisturbed watcher after `first` messages, and after all."""
    async with staged(Scenario(name="growth"), 0, home) as stage:
        fleet, result = stage.fleet, Result(facts={"scenario": "growth", "messages": count})
        fleet.start()
        seen = []
        for span in (range(first), range(first, count)):
            stage.send([plan for plan in map(plan_of, span) if not plan.poison])
            while not await stage.empty():
                await asyncio.sleep(LOOK_EVERY_S)  # a queue announces nothing
            await asyncio.sleep(0.5)  # for the last pipes to close
            watcher = fleet.running[0].process.pid
            seen.append((rss_bytes(watcher), open_files(watcher)))
        (rss, files), (rss_then, files_then) = seen
        result.facts |= {"rss": (rss, rss_then), "files": (files, files_then)}
        if rss_then - rss > RSS_GROWTH_BYTES:
            result.wrong.append(f"memory grew by {rss_then - rss:,} bytes")
        if files_then > files:
            result.wrong.append(f"{files_then - files} more files are open")
        await asyncio.to_thread(fleet.leave)
        return result
