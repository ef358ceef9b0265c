"""What `--rate` promises: the real watcher, on queues in memory, by a clock that jumps."""

from collections.abc import Sequence

import anyio
import pytest

from tests.support.builders import a_jumping_world
from tests.support.watching import FakeRunner, a_watcher, left, some_settings
from watchbot import metrics
from watchbot.lifecycle import Stop
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.sqs.consumer import Weighted
from watchbot.sqs.memory import MemoryQueue

pytestmark = pytest.mark.jumping


class Timed(FakeRunner):
    """Notes when each run starts, in seconds since the first."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self._world, self._seconds = a_jumping_world(), seconds
        self._starts: list[float] = []

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        self._starts.append(self._world.now())
        await anyio.sleep(self._seconds)
        return await super().run(batch, slot)

    def starts(self, before_s: float) -> int:
        """How many runs had started by then."""
        return sum(each - self._starts[0] < before_s - 1e-6 for each in self._starts)

    def most_within(self, seconds: float) -> int:
        """The most runs that started within any span of this length."""
        return max(
            sum(0 <= other - each < seconds - 1e-6 for other in self._starts)
            for each in self._starts
        )


def filled(count: int, name: str = "q", *, groups: int = 0) -> MemoryQueue:
    queue = MemoryQueue(name, world=a_jumping_world())
    for number in range(count):
        queue.send(f"{name} {number}", group=f"g{number % groups}" if groups else None)
    return queue


async def ran_for(queue: MemoryQueue, runner: FakeRunner, seconds: float, **options: object) -> int:
    """Runs a watcher for a time; returns the most messages in flight at once."""
    settings = some_settings(**{"exit_when_empty": False, "poll_wait": 20, **options})
    watcher = a_watcher(settings, queue, runner, world=a_jumping_world())
    stop, most = Stop(), 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        for _ in range(int(seconds * 20)):
            await anyio.sleep(0.05)
            most = max(most, (await left(queue))[1])
        stop.ask()
    return most


@pytest.mark.parametrize(
    ("rate", "within_s", "most", "least"),
    [
        ("5/s", 1, 10, 18),
        ("5/s", 10, 55, 145),
        ("30/m", 20, 11, 28),
        ("60/h", 180, 4, 8),
        ("0.5/s", 20, 11, 28),
    ],
)
async def test_runs_start_no_more_often_than_the_rate(
    rate: str, within_s: float, most: int, least: int
) -> None:
    runner = Timed()

    await ran_for(filled(200), runner, 3 * within_s, rate=rate, concurrency=100)

    assert runner.most_within(within_s) <= most
    assert runner.starts(3 * within_s) >= least


async def test_runs_of_an_idle_hour_are_not_saved() -> None:
    queue, runner = filled(0), Timed()
    settings = some_settings(exit_when_empty=False, poll_wait=20, rate="2/s", concurrency=50)
    watcher = a_watcher(settings, queue, runner, world=a_jumping_world())
    stop = Stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await anyio.sleep(3_600)
        for number in range(50):
            queue.send(str(number))
        await anyio.sleep(10)
        stop.ask()

    assert runner.most_within(5) <= 12


async def test_messages_that_must_wait_are_not_received() -> None:
    most_in_flight = await ran_for(filled(100), Timed(), 20, rate="2/s", concurrency=50)

    assert most_in_flight <= 2  # the burst of one second


async def test_batch_counts_once() -> None:
    runner = Timed()

    await ran_for(filled(500), runner, 10.5, rate="1/s", batch_size=10, concurrency=4)

    assert runner.most_within(10) <= 11
    assert len(runner.ran) >= 90


async def test_groups_of_a_fifo_queue_that_run_apart_keep_the_rate() -> None:
    runner = Timed()

    queue = filled(60, "q.fifo", groups=20)
    await ran_for(queue, runner, 20, rate="1/s", batch_size=10, concurrency=4)

    assert runner.most_within(10) <= 11
    assert runner.starts(20) >= 18


async def test_time_that_is_waited_is_counted() -> None:
    def waited() -> float:
        samples = metrics.parse(metrics.scrape().decode())
        return samples["watchbot_rate_wait_seconds_total", frozenset()]

    before = waited()
    await ran_for(filled(100), Timed(), 20, rate="1/s", concurrency=5)

    assert waited() - before == pytest.approx(20, abs=3)


async def test_empty_queue_holds_no_run_back_from_a_full_one() -> None:
    full, empty, runner = filled(100, "full"), filled(0, "empty"), Timed()
    settings = some_settings(exit_when_empty=False, poll_wait=20, rate="1/s", concurrency=4)
    watcher = a_watcher(
        settings, [Weighted(empty), Weighted(full)], runner, world=a_jumping_world()
    )
    stop = Stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run, stop)
        await anyio.sleep(30)
        stop.ask()

    assert len(runner.ran) >= 27


async def test_stop_does_not_wait_for_the_rate() -> None:
    world, queue = a_jumping_world(), filled(40, "q.fifo", groups=20)

    began = world.now()
    await ran_for(queue, Timed(), 5, rate="1/h", batch_size=10, concurrency=4, drain_timeout=600)

    assert world.now() - began < 30
    assert (await left(queue))[1] == 0  # all are visible again
