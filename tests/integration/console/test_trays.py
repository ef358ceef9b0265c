"""Dead letters that the console holds: for how long, for whom, and how they go back."""

import resource
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.to_thread
import pytest

from tests.support.builders import Clock
from tests.support.cloud import Cloud, running_cloud
from tests.support.dead_letters import Queues, given_up, queues
from tests.support.gate import DELETE, RECEIVE, Gate, Hold, Refuse, running_gate
from watchbot.console.audit import Audit
from watchbot.console.letters.tray import IDLE_S, LONGEST_S, Tray
from watchbot.console.letters.trays import Trays
from watchbot.console.letters.work import Order, OrderProgress, told
from watchbot.settings.base import AwsEndpoint


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def pair(cloud: Cloud) -> Iterator[Queues]:
    """A queue and its dead-letter queue, with three letters."""
    pair = queues(cloud, "tiles")
    for name in "abc":
        given_up(cloud, pair.dead, name)
    yield pair
    cloud.take_all(pair.url)
    cloud.take_all(pair.dead)


@asynccontextmanager
async def trays_of(cloud: Cloud | Gate, audit: Audit, clock: Clock) -> AsyncIterator[Trays]:
    aws = AwsEndpoint(region="us-east-1", endpoint_url=cloud.url)
    async with anyio.create_task_group() as tasks:
        trays = Trays(aws, audit, tasks, clock=clock)
        with anyio.fail_after(20):
            yield trays
            await trays.close()
        tasks.cancel_scope.cancel()


async def received(tray: Tray) -> None:
    while tray.walking:
        await anyio.sleep(0.01)  # a walk says when it is over to nobody


async def over(work: OrderProgress) -> None:
    while not work.over:
        await anyio.sleep(0.01)  # an order says when it is over to nobody


async def slow_replay(trays: Trays, pair: Queues) -> tuple[Tray, OrderProgress]:
    """An order for all three letters that has done one, and would do the next for minutes."""
    tray = trays.open(pair.dead)
    await received(tray)
    ids = [tray.sheaf.id(place) for place in tray.sheaf.places()]
    order = Order(what="replay", queue="tiles", ids=ids, who="ann", to_url=pair.url, rate=0.001)
    work = trays.begin(pair.dead, order)
    while not work.done:
        await anyio.sleep(0.01)  # nor does it say when a letter is done
    return tray, work


async def test_only_who_looks_at_letters_keeps_them(cloud: Cloud, pair: Queues) -> None:
    """The first page counts them every five seconds, on a screen that nobody may look at."""
    clock = Clock()
    async with trays_of(cloud, Audit(), clock) as trays:
        tray = trays.open(pair.dead)
        clock.advance(IDLE_S + 1)
        assert trays.of(pair.dead) is tray
        assert tray.is_over

        trays.open(pair.dead)
        assert not tray.is_over


async def test_letters_that_are_closed_twice_go_back(cloud: Cloud, pair: Queues) -> None:
    async with trays_of(cloud, Audit(), Clock()) as trays:
        tray = trays.open(pair.dead)
        await received(tray)
        assert cloud.depth(pair.dead) == (0, 3)
        tray.close()
        tray.close()
        await tray.ended.wait()

        assert tray.problem is None
        assert cloud.depth(pair.dead) == (3, 0)


@pytest.mark.parametrize("late_s", [None, LONGEST_S + 1], ids=["closed", "too old"])
async def test_order_ends_with_its_letters(
    cloud: Cloud, pair: Queues, late_s: float | None
) -> None:
    """A slow replay does not go on with letters that others see again."""
    audit, clock = Audit(), Clock()
    async with trays_of(cloud, audit, clock) as trays:
        tray, work = await slow_replay(trays, pair)
        clock.advance(late_s or 0)
        assert tray.is_over == (late_s is not None)
        tray.close()
        await tray.ended.wait()

        assert (work.over, told(work)) == (True, "1 replayed; 2 left")
        assert (cloud.depth(pair.url), cloud.depth(pair.dead)) == ((1, 0), (2, 0))
        (deed,) = await audit.deeds()
        assert (deed.who, deed.count, deed.detail) == ("ann", 1, "1 replayed; 2 left")


async def test_slow_order_is_cancelled_at_once(cloud: Cloud, pair: Queues) -> None:
    async with trays_of(cloud, Audit(), Clock()) as trays:
        _, work = await slow_replay(trays, pair)
        work.cancel()
        await over(work)

    assert told(work) == "1 replayed; 2 left; cancelled"


async def test_order_that_is_over_keeps_no_ids(cloud: Cloud, pair: Queues) -> None:
    async with trays_of(cloud, Audit(), Clock()) as trays:
        tray = trays.open(pair.dead)
        await received(tray)
        ids = [tray.sheaf.id(place) for place in tray.sheaf.places()]
        work = trays.begin(pair.dead, Order(what="delete", queue="tiles", ids=ids, who="ann"))
        await over(work)

        assert (work.order.ids, work.total, work.share, work.done) == ((), 3, 1.0, 3)


async def test_walk_that_fails_waits_for_an_order_that_deletes(cloud: Cloud, pair: Queues) -> None:
    """Somebody looks for more letters, which SQS refuses, while an order deletes."""
    asked, answered = threading.Event(), threading.Event()

    def rule(operation: str, *_: object) -> Refuse | Hold | None:
        if operation == DELETE:
            asked.set()
            return Hold(answered)
        return Refuse(403, "AccessDenied") if operation == RECEIVE else None

    with running_gate(cloud.url) as gate:
        async with trays_of(gate, Audit(), Clock()) as trays:
            tray = trays.open(pair.dead)
            await received(tray)
            ids = [tray.sheaf.id(place) for place in tray.sheaf.places()]
            gate.rule = rule
            work = trays.begin(pair.dead, Order(what="delete", queue="tiles", ids=ids, who="ann"))
            await anyio.to_thread.run_sync(asked.wait)
            tray.look_again()
            while not tray.closed:
                await anyio.sleep(0.01)  # a tray that closes tells nobody
            answered.set()
            await tray.ended.wait()
            assert work.over

    assert tray.problem is not None
    assert told(work) == "3 deleted"


async def test_letters_for_which_the_disk_has_no_room_go_back(cloud: Cloud, pair: Queues) -> None:
    given_up(cloud, pair.dead, "large" * 20_000)
    async with trays_of(cloud, Audit(), Clock()) as trays:
        with files_of_at_most(4096):
            tray = trays.open(pair.dead)
            await tray.ended.wait()

        assert tray.problem is not None
        assert tray.problem.startswith("no room for them in /")
        assert "File too large" in tray.problem
        assert cloud.depth(pair.dead) == (4, 0)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
