"""What a watcher of several queues promises: the real one, on queues in memory."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import anyio
import pytest

from tests.support.builders import a_jumping_world
from tests.support.watching import FakeRunner, Told, a_watcher, left, some_settings
from watchbot.errors import NotFound, Throttled, Unreachable
from watchbot.lifecycle import Stop
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.listen.watcher import Watcher
from watchbot.outcome import COMPLETED, FAILED
from watchbot.sqs.consumer import Weighted
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.pause import Pause

pytestmark = pytest.mark.jumping
FACTS = {"service": "SQS", "operation": "receive_message", "code": "x", "text": "y"}


class Asked(MemoryQueue):
    """A queue that notes each receive: how many were asked for, and how long it waits."""

    def __init__(self, name: str) -> None:
        # Ids of messages come from chance, and must differ from those of other queues.
        super().__init__(name, world=replace(a_jumping_world(), chance=Random(name)))
        self.asked: list[tuple[int, int]] = []
        self.open = 0
        self.fault: Exception | None = None

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        self.asked.append((count, wait_s))
        await anyio.sleep(0.01)
        if self.fault is not None:
            raise self.fault
        self.open += 1
        try:
            return await super().receive(count, wait_s, visibility_s)
        finally:
            self.open -= 1

    def fill(self, count: int, *, groups: int = 0) -> "Asked":
        for number in range(count):
            group = f"g{number % groups}" if groups else None
            self.send(f"{self.name} {number}", group=group)
        return self


class Slow(FakeRunner):
    """A runner whose runs take a while."""

    def __init__(self, seconds: float = 0.1) -> None:
        super().__init__()
        self._seconds = seconds
        self.at_once = self.most_at_once = 0

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.sleep(self._seconds)
        self.at_once -= 1
        return await super().run(batch, slot)


def of(runner: FakeRunner, first: int | None = None) -> Counter[str]:
    """How many messages ran of each queue, of the first ones or of all."""
    return Counter(body.split()[0] for body in runner.ran[:first])


def watching(
    queues: Sequence[tuple[MemoryQueue, int]], runner: FakeRunner, **options: object
) -> Watcher:
    strict = bool(options.pop("strict", False))
    settings = some_settings(**{"exit_when_empty": False, "poll_wait": 20, **options})
    weighted = [Weighted(*each) for each in queues]
    return a_watcher(settings, weighted, runner, strict=strict, world=a_jumping_world())


async def until(condition: Callable[[], object]) -> None:
    """Waits by the clock that jumps."""
    with anyio.fail_after(3_600):
        while not condition():
            await anyio.sleep(0.05)  # a condition announces nothing


async def ran_for(watcher: Watcher, seconds: float) -> None:
    stop = Stop()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await anyio.sleep(seconds)
        stop.ask()


@pytest.mark.parametrize(("slots", "messages"), [(1, 200), (4, 200), (10, 2_000)])
async def test_full_queues_share_the_slots_by_weight(slots: int, messages: int) -> None:
    high, low = Asked("high").fill(messages), Asked("low").fill(messages)
    runner = Slow()

    watcher = watching([(high, 3), (low, 1)], runner, concurrency=slots)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, Stop())
        await until(lambda: len(runner.ran) >= messages)
        tasks.cancel_scope.cancel()

    high_share = of(runner, messages)["high"] / messages
    assert 0.95 * 3 / 4 <= high_share <= 1.05 * 3 / 4
    assert runner.most_at_once == slots


@pytest.mark.parametrize("slots", [1, 2, 10])
async def test_empty_queue_takes_nothing_from_a_full_one(slots: int) -> None:
    full, *empty = [Asked(name) for name in ("full", "a", "b", "c")]
    full.fill(2_000)
    runner = Slow()

    watcher = watching(
        [(full, 1), *((queue, 9) for queue in empty)], runner, concurrency=slots, poll_wait=1
    )
    await ran_for(watcher, 20)

    alone = Slow()
    await ran_for(watching([(Asked("full").fill(2_000), 1)], alone, concurrency=slots), 20)
    assert len(runner.ran) > 0.9 * len(alone.ran)


async def test_message_of_an_empty_queue_comes_soon_while_another_is_full() -> None:
    full, rare = Asked("full").fill(3_000), Asked("rare")
    runner = Slow()
    watcher = watching([(full, 1), (rare, 1)], runner, concurrency=1)
    stop = Stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await until(lambda: len(runner.ran) > 50)
        before = len(runner.ran)
        rare.fill(1)
        await until(lambda: "rare 0" in runner.ran)
        stop.ask()

    # A look is due after at most two seconds, for two queues and one slot: twenty runs of 0.1 s.
    assert runner.ran.index("rare 0") - before <= 22


async def test_idle_queues_have_a_long_poll_each_where_slots_suffice() -> None:
    queues = [Asked(f"q{number}") for number in range(20)]
    watcher = watching([(queue, 1) for queue in queues], Slow(), concurrency=20)
    stop = Stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await anyio.sleep(1)
        open_at_once = sum(queue.open for queue in queues)
        await anyio.sleep(99)
        stop.ask()

    assert open_at_once == 20
    assert {wait_s for queue in queues for _, wait_s in queue.asked} == {20}
    assert max(len(queue.asked) for queue in queues) <= 6  # in 100 seconds


async def test_idle_queues_are_asked_in_turn_where_slots_are_fewer() -> None:
    queues = [Asked(f"q{number}") for number in range(6)]
    watcher = watching([(queue, 1) for queue in queues], Slow(), concurrency=2)

    await ran_for(watcher, 30)

    assert {ask for queue in queues for ask in queue.asked} == {(1, 1)}
    counts = [len(queue.asked) for queue in queues]
    assert min(counts) >= 9  # each at least every three seconds: six queues, two slots
    assert max(counts) - min(counts) <= 1


async def test_strict_order_leaves_the_later_queue_for_when_the_first_is_empty() -> None:
    first, second = Asked("first").fill(100), Asked("second").fill(100)
    runner = Slow()
    watcher = watching([(first, 1), (second, 1)], runner, concurrency=2, strict=True)
    stop = Stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await until(lambda: len(runner.ran) == 200)
        stop.ask()

    # Before the first receive of each, nothing is known of it: one message of the second comes.
    assert of(runner, 101)["first"] == 100


async def test_first_queue_of_a_strict_order_is_served_soon_when_it_fills_again() -> None:
    first, second = Asked("first"), Asked("second").fill(500)
    runner = Slow()
    watcher = watching([(first, 1), (second, 1)], runner, concurrency=1, strict=True)
    stop = Stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await until(lambda: len(runner.ran) == 100)
        first.fill(50)
        await until(lambda: "first 49" in runner.ran)
        stop.ask()

    began = runner.ran.index("first 0")
    assert began <= 122
    assert of(runner, began + 51)["first"] >= 49


@pytest.mark.parametrize("fault", [Throttled(**FACTS), Unreachable(**FACTS), NotFound(**FACTS)])
async def test_queue_that_fails_takes_nothing_from_the_others(fault: Exception) -> None:
    well, ill = Asked("well").fill(300), Asked("ill").fill(5)
    runner, stop = Slow(), Stop()
    watcher = watching([(well, 1), (ill, 5)], runner, concurrency=2, give_up_after=3)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await until(lambda: of(runner)["ill"] == 5)
        ill.fault = fault
        ready = watcher.unready()
        await until(lambda: of(runner)["well"] == 300)
        stop.ask()

    assert ready is None
    assert watcher.unready() == "draining"
    assert runner.most_at_once == 2


async def test_watcher_gives_up_when_every_queue_is_refused_for_good() -> None:
    a, b = Asked("a").fill(1), Asked("b").fill(1)
    runner = Slow()
    watcher = watching([(a, 1), (b, 1)], runner, concurrency=2, give_up_after=10)

    with pytest.RaisesGroup(NotFound, flatten_subgroups=True):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.run, Stop())
            await until(lambda: len(runner.ran) == 2)
            a.fault = b.fault = NotFound(**FACTS)


async def test_each_message_is_settled_at_its_own_queue() -> None:
    standard, fifo = Asked("standard").fill(20), Asked("ordered.fifo").fill(20, groups=2)
    runner, told = FakeRunner({"standard 3": [1], "ordered.fifo 0": [1]}), Told()
    settings = some_settings(concurrency=4, max_backoff=600, exit_wait=60)
    queues = [Weighted(standard), Weighted(fifo)]

    world = a_jumping_world()
    await a_watcher(settings, queues, runner, [told], world=world).run(Stop())

    assert await left(standard) == await left(fifo) == (0, 0)
    outcomes = Counter(outcome for _, outcome in told.outcomes)
    assert outcomes == {COMPLETED: 40, FAILED: 2}
    ordered = [body.split()[1] for body in runner.ran if body.startswith("ordered")]
    evens = [int(number) for number in ordered if int(number) % 2 == 0]
    assert evens == [0, *range(0, 20, 2)]  # the group waits for the message that failed
    assert {report.message.queue for report in told.reports} == {"standard", "ordered.fifo"}


async def test_paused_queue_is_left_alone_and_goes_on_later() -> None:
    works, paused = Asked("works").fill(50), Asked("paused").fill(5)
    runner, stop = Slow(), Stop()
    watcher = watching([(works, 1), (paused, 1)], runner, concurrency=1)
    [_, source] = watcher.sources
    source.hold(Pause(reason="a load"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await until(lambda: len(runner.ran) == 50)
        await anyio.sleep(60)
        while_paused = len(paused.asked)
        source.hold(None)
        await until(lambda: len(runner.ran) == 55)
        stop.ask()

    assert while_paused == 0
    assert of(runner) == {"works": 50, "paused": 5}


async def test_paused_queue_counts_as_empty(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "watchbot")
    works, paused = Asked("works").fill(3), Asked("paused").fill(5)
    watcher = watching([(works, 1), (paused, 1)], Slow(), exit_when_empty=True)
    watcher.sources[1].hold(Pause(reason="a load"))

    await watcher.run(Stop())

    assert await left(paused) == (5, 0)
    [last] = [record for record in caplog.records if record.message == "stopped"]
    assert vars(last)["paused"] == "paused"


async def test_leaves_once_all_queues_are_empty() -> None:
    queues = [Asked(name).fill(7) for name in ("a", "b", "c")]
    runner = Slow()

    watcher = watching([(queue, 1) for queue in queues], runner, exit_when_empty=True)
    await watcher.run(Stop())

    assert of(runner) == {"a": 7, "b": 7, "c": 7}
    assert [await left(queue) for queue in queues] == [(0, 0)] * 3
