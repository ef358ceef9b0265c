"""What becomes of a checkpoint with its message, and what a store that fails costs."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.support.builders import a_jumping_world, a_message, a_report
from tests.support.watching import FakeRunner
from watchbot import metrics
from watchbot.checkpoints.store import KEPT_S, Checkpoint
from watchbot.listen.care import Ending
from watchbot.listen.checkpointing import LOAD_S, CheckpointKeeper
from watchbot.listen.control.asks import Asks
from watchbot.listen.control.wire import Ungranted
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.outcome import (
    COMPLETED,
    FAILED,
    LEFT,
    REJECTED,
    RELEASED,
    RETURNED,
    TIMED_OUT,
    Outcome,
)
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.message import Message
from watchbot.world import World

DAY_S = 24 * 3600


class Store:
    """A store in memory that answers, after `takes_s`, unless it is `down`."""

    def __init__(self, **content: bytes) -> None:
        self.kept = {name: Checkpoint(each, 2**40) for name, each in content.items()}
        self.asked: list[str] = []
        self.down, self.loses_answers, self.takes_s = False, False, 0.0

    async def _answers(self, asked: str) -> None:
        self.asked.append(asked)
        await anyio.sleep(self.takes_s)
        if self.down:
            raise OSError("it is down")

    async def save(self, name: str, content: bytes, order: str, expires: int) -> bool:
        await self._answers(f"save {name}")
        self.kept[name] = Checkpoint(content, expires)
        if self.loses_answers:
            raise OSError("connection reset")
        return True

    async def load(self, name: str) -> Checkpoint | None:
        await self._answers(f"load {name}")
        return self.kept.get(name)

    async def keep(self, name: str, expires: int) -> None:
        await self._answers(f"keep {name}")
        self.kept[name] = Checkpoint(self.kept[name].content, expires)

    async def delete(self, name: str) -> None:
        await self._answers(f"delete {name}")
        del self.kept[name]


def content_of(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


class Reading(FakeRunner):
    """A runner whose runs read their checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[bytes | None] = []

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        for job in batch:
            self.read.append(content_of(job.asks.resume))
        return await super().run(batch, slot)


class House:
    """A keeper over a store in memory."""

    def __init__(
        self, keeper: CheckpointKeeper, store: Store, runner: Reading, world: World
    ) -> None:
        self.keeper, self.store, self.runner, self.world = keeper, store, runner, world

    async def ran(self, *messages: Message, saves: bytes | None = None, **ends: Outcome) -> None:
        """Runs messages, has them store something, and ends each as its id says."""
        jobs = [a_job(message) for message in messages]
        await self.keeper.run(jobs, 0)
        for job in jobs:
            if saves is not None:
                await self.keeper.save(job, saves)
            self.keeper.observe(a_report(message=job.message, outcome=ends[job.message.id]))
        await self.keeper.clear(0)


@asynccontextmanager
async def a_house(folder: Path, **content: bytes) -> AsyncIterator[House]:
    store, runner, world = Store(**content), Reading(), a_jumping_world()
    async with anyio.create_task_group() as background:
        keeper = CheckpointKeeper(runner, store, str(folder), background, world)
        yield House(keeper, store, runner, world)


def a_job(message: Message) -> Job:
    return Job(
        message=message,
        content=open_envelope(message),
        withheld=lambda: None,
        left_s=lambda: 1000.0,
        leave_seat=lambda: None,
        tell=lambda _: None,
    )


def counted(action: str, result: str) -> float:
    samples = metrics.parse(metrics.scrape().decode())
    labels = frozenset({("action", action), ("result", result)})
    return samples[("watchbot_checkpoints_total", labels)]


@pytest.mark.jumping
async def test_message_that_was_never_handed_out_asks_no_store(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.ran(a_message("m"), m=COMPLETED)

    assert house.store.asked == []


@pytest.mark.jumping
@pytest.mark.parametrize("first", [None, "first"])
async def test_next_run_reads_it_by_the_first_id(tmp_path: Path, first: str | None) -> None:
    message = a_message("m", receives=1 if first else 2)
    if first:
        message = Message(id="m", receipt="r", body="", asked_at=0, replay_of=first)
    async with a_house(tmp_path, m=b"of m", first=b"of first") as house:
        await house.ran(message, m=RETURNED)

    assert house.runner.read == [b"of first" if first else b"of m"]
    assert os.listdir(tmp_path) == []


@pytest.mark.jumping
@pytest.mark.parametrize(
    ("outcome", "deleted"),
    [
        (COMPLETED, True),
        (REJECTED, True),
        (FAILED, False),
        (RETURNED, False),
        (RELEASED, False),
        (LEFT, False),
        (FAILED.buried, False),
    ],
)
async def test_it_is_deleted_with_its_message_alone(
    tmp_path: Path, outcome: Outcome, *, deleted: bool
) -> None:
    async with a_house(tmp_path, m=b"x", other=b"y") as house:
        await house.ran(a_message("m", receives=2), m=outcome)

    assert ("m" not in house.store.kept) == deleted
    assert "other" in house.store.kept


@pytest.mark.jumping
async def test_one_that_was_stored_in_the_last_run_is_deleted_as_well(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.ran(a_message("m"), saves=b"x", m=COMPLETED)

    assert house.store.asked == ["save m", "delete m"]


@pytest.mark.jumping
async def test_dead_letter_has_its_checkpoint_for_fourteen_days(tmp_path: Path) -> None:
    async with a_house(tmp_path, m=b"x") as house:
        before = house.world.wall()
        await house.ran(a_message("m", receives=2), m=FAILED.buried)

    assert house.store.kept["m"].expires == pytest.approx(before + KEPT_S, abs=2)


@pytest.mark.jumping
@pytest.mark.parametrize(("age_s", "renewed"), [(DAY_S - 60, False), (DAY_S + 60, True)])
async def test_one_that_is_read_is_kept_anew_once_a_day(
    tmp_path: Path, age_s: float, *, renewed: bool
) -> None:
    async with a_house(tmp_path) as house:
        expires = int(house.world.wall() + KEPT_S - age_s)
        house.store.kept["m"] = Checkpoint(b"x", expires)
        await house.ran(a_message("m", receives=2), m=RETURNED)

    assert (house.store.kept["m"].expires > expires) == renewed


@pytest.mark.jumping
async def test_one_that_has_expired_is_not_given(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        house.store.kept["m"] = Checkpoint(b"x", int(house.world.wall()) - 1)
        await house.ran(a_message("m", receives=2), m=RETURNED)

    assert house.runner.read == [None]


@pytest.mark.jumping
@pytest.mark.parametrize("silent", [True, False])
async def test_run_begins_without_a_store_that_is_down_or_silent(
    tmp_path: Path, *, silent: bool
) -> None:
    failed = counted("loaded", "failed")
    async with a_house(tmp_path, m=b"x") as house:
        house.store.down, house.store.takes_s = not silent, 3600.0 * silent
        began = anyio.current_time()
        await house.ran(a_message("m", receives=2), m=COMPLETED)

        assert anyio.current_time() - began <= LOAD_S + 1
    assert house.runner.read == [None]
    assert counted("loaded", "failed") == failed + 1


@pytest.mark.jumping
async def test_request_is_refused_by_a_store_that_is_down(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        job = a_job(a_message("m"))
        await house.keeper.run([job], 0)
        house.store.down = True
        with pytest.raises(Ungranted, match="does not take it now"):
            await house.keeper.save(job, b"x")


@pytest.mark.jumping
@pytest.mark.parametrize(
    ("outcome", "asked"),
    [(COMPLETED, ["save m", "delete m"]), (RETURNED, ["save m"]), (TIMED_OUT, ["save m"])],
)
async def test_one_that_is_being_stored_when_the_run_ends_outlives_its_message_no_more(
    tmp_path: Path, outcome: Outcome, asked: list[str]
) -> None:
    async with a_house(tmp_path) as house, anyio.create_task_group() as requests:
        job, house.store.takes_s = a_job(a_message("m")), 5.0
        await house.keeper.run([job], 0)
        requests.start_soon(house.keeper.save, job, b"x")
        await anyio.sleep(1)  # of the five that the store takes
        house.keeper.observe(a_report(message=job.message, outcome=outcome))
        await house.keeper.clear(0)

    assert house.store.asked == asked


@pytest.mark.jumping
async def test_one_that_could_not_be_read_goes_with_its_message_all_the_same(
    tmp_path: Path,
) -> None:
    async with a_house(tmp_path, m=b"x") as house:
        job, house.store.down = a_job(a_message("m", receives=2)), True
        await house.keeper.run([job], 0)
        house.store.down = False
        house.keeper.observe(a_report(message=job.message, outcome=COMPLETED))
        await house.keeper.clear(0)

    assert house.store.kept == {}


@pytest.mark.jumping
async def test_one_whose_storing_had_no_answer_goes_with_its_message(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        job, house.store.loses_answers = a_job(a_message("m")), True
        await house.keeper.run([job], 0)
        with pytest.raises(Ungranted):
            await house.keeper.save(job, b"x")
        house.keeper.observe(a_report(message=job.message, outcome=COMPLETED))
        await house.keeper.clear(0)

    assert house.store.kept == {}


@pytest.mark.jumping
async def test_request_that_comes_after_the_end_of_its_run_is_refused(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        job = a_job(a_message("m"))
        await house.keeper.run([job], 0)
        house.keeper.observe(a_report(message=job.message, outcome=COMPLETED))
        await house.keeper.clear(0)

        with pytest.raises(Ungranted, match="the run of this message has ended"):
            await house.keeper.save(job, b"x")
    assert house.store.asked == []


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict(outcome=FAILED, ending=Ending(exit_code=1)), REJECTED),
        (Verdict(outcome=FAILED, ending=Ending(exit_code=None, signal=11)), REJECTED),
        (Verdict(outcome=COMPLETED, ending=Ending(exit_code=0)), REJECTED),
        (Verdict(outcome=FAILED, reason="broke the protocol"), FAILED),
        (Verdict(outcome=RELEASED), RELEASED),
        (Verdict(outcome=LEFT, ending=Ending(exit_code=1)), LEFT),
    ],
)
def test_rejection_counts_where_the_run_ended_by_itself(verdict: Verdict, outcome: Outcome) -> None:
    assert Asks(rejected="no").amended(verdict).outcome == outcome


def test_answer_for_one_message_has_the_last_word_on_its_return() -> None:
    asks = Asks(retry_after_s=10)

    assert asks.amended(Verdict(outcome=RETURNED)).retry_after_s == 10
    assert asks.amended(Verdict(outcome=RETURNED, retry_after_s=5)).retry_after_s == 5
