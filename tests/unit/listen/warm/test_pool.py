"""What the pool says of workers that seem not to know the protocol."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import anyio
import pytest

from tests.support.builders import a_job_of, a_jumping_world, a_message
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop
from watchbot.listen.care import Care, Ending
from watchbot.listen.ends import Ends
from watchbot.listen.process import Alive, Listener
from watchbot.listen.runner import Job
from watchbot.listen.spawn import Command, Start
from watchbot.listen.warm.dialogue import Answer, Opener
from watchbot.listen.warm.pool import PROOF_S, WONDER_S, Recycling, WarmRunner, keeping
from watchbot.listen.warm.shop import RunProcess, Shop
from watchbot.listen.workspace import Workspace, open_workspace
from watchbot.outcome import RELEASED
from watchbot.settings.base import load
from watchbot.settings.listen import ListenSettings

EXPECTS = "it is to answer"


class Silent:
    """A process that prints nothing, and answers nothing."""

    pid = 5_000_000  # more than the kernel gives any process

    def catch_up(self) -> None:
        pass


class Mute:
    """The talk with a process that takes messages, and answers none."""

    variables: Mapping[str, str] = {}
    channel, together = None, False

    def started(self) -> None:
        pass

    async def ready(self) -> None:
        pass

    def fits(self, batch: Sequence[Job]) -> int:
        return len(batch)

    def hand(self, batch: Sequence[Job], deadline: float) -> None:
        pass

    async def answers(self) -> Sequence[Answer]:
        await anyio.sleep_forever()
        raise AssertionError

    def rest(self) -> Sequence[Answer]:
        return ()

    def overdue(self) -> None:
        pass

    def leave(self) -> bool:
        return False

    async def close(self) -> None:
        pass


async def a_talk(worker: int, scratch: str) -> Mute:
    return Mute()


async def stays(
    start: Start, listener: Listener, care: Care, begun: Callable[[Alive], bool]
) -> Ending:
    begun(Silent())
    try:
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        return Ending(exit_code=None, signal=signal.SIGTERM)
    raise AssertionError


async def is_done(
    start: Start, listener: Listener, care: Care, begun: Callable[[Alive], bool]
) -> Ending:
    begun(Silent())
    return Ending(exit_code=0)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with open_workspace(()) as workspace:
        yield workspace


def a_shop(run_process: RunProcess, open_dialogue: Opener = a_talk) -> Shop:
    settings = load(ListenSettings, {"queue_url": "http://localhost:1/1/q", "warm": "lines"})
    return Shop(
        settings=settings,
        command=Command(file="x", words=("x",)),
        base={},
        ends=Ends(settings, Stop()),
        open_dialogue=open_dialogue,
        world=a_jumping_world(),
        stays=True,
        expects=EXPECTS,
        run_process=run_process,
    )


async def no_talk(worker: int, scratch: str) -> Mute:
    await anyio.sleep_forever()
    raise AssertionError


async def works(runner: WarmRunner, outcomes: list[object]) -> None:
    verdicts = await runner.run([a_job_of(a_message("m"))], 0)
    outcomes += [verdict.outcome for verdict in verdicts]


@pytest.mark.jumping
@pytest.mark.parametrize(("waits_s", "said"), [(WONDER_S + 1, 1), (WONDER_S - 1, 0)])
async def test_worker_that_does_not_answer_its_first_message_is_told_of_once(
    caplog: pytest.LogCaptureFixture, workspace: Workspace, waits_s: float, said: int
) -> None:
    outcomes: list[object] = []
    async with (
        keeping(a_shop(stays), workspace, 1, Recycling()) as runner,
        anyio.create_task_group() as tasks,
    ):
        await runner.start(Stop())
        tasks.start_soon(works, runner, outcomes)
        await anyio.sleep(waits_s)
        runner.release_all()

    lines = [record for record in caplog.records if record.msg == "no message is answered yet"]
    assert [vars(line)["reason"] for line in lines] == [EXPECTS] * said
    assert outcomes == [RELEASED]
    assert "starting another" not in caplog.text


@pytest.mark.jumping
async def test_worker_that_dies_at_each_start_is_started_ever_less_often(
    workspace: Workspace,
) -> None:
    starts: list[float] = []

    async def dies(
        start: Start, listener: Listener, care: Care, begun: Callable[[Alive], bool]
    ) -> Ending:
        starts.append(anyio.current_time())
        begun(Silent())
        await anyio.sleep(PROOF_S + 1 if len(starts) == 1 else 0.1)
        return Ending(exit_code=7)

    async with keeping(a_shop(dies), workspace, 1, Recycling()) as runner:
        await runner.start(Stop())
        await anyio.sleep(300)
        with pytest.raises(OSError, match="exit code 7"):
            await runner.run([a_job_of(a_message("m"))], 0)

    pauses = [round(later - before) for before, later in pairwise(starts)]
    assert pauses == [2, 1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.jumping
async def test_first_worker_that_is_done_at_once_is_told_what_it_is_to_do(
    workspace: Workspace,
) -> None:
    with pytest.raises(BaseExceptionGroup) as raised:
        async with keeping(a_shop(is_done), workspace, 1, Recycling()) as runner:
            await runner.start(Stop())

    assert raised.group_contains(UsageError, match=f"cannot stay: exit code 0; {EXPECTS}$", depth=2)


@pytest.mark.jumping
async def test_pool_that_is_given_up_while_a_worker_starts_ends(workspace: Workspace) -> None:
    with anyio.move_on_after(5) as given_up:
        async with keeping(a_shop(stays, no_talk), workspace, 1, Recycling()) as runner:
            await runner.start(Stop())

    assert given_up.cancelled_caught
