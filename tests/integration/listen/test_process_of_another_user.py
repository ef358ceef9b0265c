"""Workers that became another user, and cannot be ended."""

from collections.abc import Iterator

import anyio
import pytest

from tests.support.other_user import nobody, setuid_sleep
from tests.support.processes import Heard, Watched, a_start, gone
from watchbot.listen import process
from watchbot.listen.care import Ending, StillRunning


@pytest.fixture
def sleep() -> Iterator[str]:
    with setuid_sleep() as path, nobody():
        yield path


async def test_end_is_waited_for_and_told_of_at_once_and_again(sleep: str) -> None:
    heard, care = Heard(), Watched()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            script = f"echo $$; exec {sleep} 1"
            tasks.start_soon(lambda: process.run(a_start(script), heard, care))
            while not heard.stdout:
                await anyio.sleep(0.01)  # output announces nothing
            await anyio.sleep(0.1)  # it has become root by then
            scope.cancel()

    pid = int(heard.stdout)
    assert scope.cancelled_caught
    assert await gone(pid)
    assert care.stuck[:3] == [([pid], "it runs as another user")] * 3


async def test_background_child_is_waited_for_with_the_worker_s_own_exit_code(sleep: str) -> None:
    heard, care = Heard(), Watched()

    script = f"{sleep} 2 & echo $!; sleep 0.2; exit 7"  # it has become root by then
    ending = await process.run(a_start(script), heard, care)

    pid = int(heard.stdout)
    assert ending == Ending(exit_code=7)
    assert await gone(pid)
    assert care.stuck[0] == ([pid], "it runs as another user")
    assert not care.left


@pytest.mark.parametrize(("last", "ending"), [("exec", None), ("", Ending(exit_code=7))])
async def test_patience_has_an_end(sleep: str, last: str, ending: Ending | None) -> None:
    heard, care = Heard(), Watched(patience_s=0)
    script = f"echo up; {last} {sleep} 3" + ("" if last else "& sleep 0.2; exit 7")

    caught: list[StillRunning] = []

    async def run() -> None:
        try:
            await process.run(a_start(script), heard, care)
        except StillRunning as still:
            caught.append(still)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        while not heard.stdout:
            await anyio.sleep(0.01)  # output announces nothing
        await anyio.sleep(0.5)  # the process has become root by then
        tasks.cancel_scope.cancel()

    assert [still.ending for still in caught] == [ending]
    assert "still runs: it runs as another user" in str(caught[0])
