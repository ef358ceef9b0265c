import anyio

from watchbot.errors import DatabaseDown
from watchbot.schedule.loop import Loop


async def test_database_that_is_away_is_trouble_and_no_reason_to_restart() -> None:
    async def step() -> float:
        failed.set()
        raise DatabaseDown("db:5432", "no answer")

    failed = anyio.Event()
    loop = Loop(step)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(loop.run)
        await failed.wait()
        await anyio.lowlevel.checkpoint()
        trouble, overdue = loop.trouble, loop.overdue()
        tasks.cancel_scope.cancel()

    assert trouble is not None
    assert "no answer" in trouble
    assert overdue is None
