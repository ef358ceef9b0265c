"""Jobs and runs that another version wrote, and that this one cannot read."""

from datetime import timedelta

from tests.support.house import NOON, a_house, a_job
from watchbot.moment import to_text
from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.run import RunEnd

UNREADABLE = '{"id": "bad", "schedule": "0", "timezone": "Old/Zone", "pauseAfterFailures": 1}'


async def test_job_that_cannot_be_read_stops_no_other(place: str) -> None:
    async with a_house(place, a_job("bad"), a_job("good")) as house:
        await house.rows.write_fields("bad", UNREADABLE)
        house.clock.on(minutes=1)
        await house.plan()
        rows = await house.rows.runs()
        note = await house.rows.note("bad")

    assert [row["job_id"] for row in rows] == ["good"]
    assert "timezone" in note


async def test_job_that_can_be_read_again_fires_again(place: str) -> None:
    async with a_house(place, a_job()) as house:
        await house.rows.write_fields("j", UNREADABLE)
        house.clock.on(minutes=1)
        assert (await house.plan()).due == 0
        assert await house.store.seconds_to_plan(100) > 10
        await house.rows.write_fields("j", a_job().stored())
        house.clock.on(minutes=1, seconds=1)
        await house.plan()
        job = await house.jobs.find("j")

        assert (await house.plan()) == Planned()
        assert [row["due_at"] for row in await house.rows.runs()] == [
            to_text(NOON + timedelta(minutes=2))
        ]
    assert job
    assert job.next_fire_at == NOON + timedelta(minutes=3)
    assert job.note is None


async def test_job_that_cannot_be_read_is_shown_and_can_be_mended_or_removed(place: str) -> None:
    async with a_house(place, a_job("bad"), a_job("good")) as house:
        await house.rows.write_fields("bad", UNREADABLE)
        (bad, good), _ = await house.jobs.page(0, 10)
        mended = await house.jobs.change(bad, a_job("bad"))
        again = await house.jobs.find("bad")
        await house.rows.write_fields("bad", UNREADABLE)
        removed = await house.jobs.remove("bad")

    assert good.job.id == "good"
    assert bad.fields["timezone"] == "Old/Zone"
    assert list(bad.job.fires(NOON, bad.created_at)) == []
    assert bad.note
    assert "timezone" in bad.note
    assert mended
    assert again
    assert again.next_fire_at == NOON + timedelta(minutes=1)
    assert again.note is None
    assert removed


async def test_run_whose_job_cannot_be_read_stops_no_other(place: str) -> None:
    async with a_house(place, a_job("bad", "1 12 * * *"), a_job("good", "30 12 * * *")) as house:
        house.clock.on(minutes=1)
        await house.plan()
        await house.rows.write_job_of_runs(UNREADABLE)
        house.clock.on(minutes=29)
        await house.plan()
        bad, good = await house.take(house.one)

        assert (bad.job.id, good.job.id) == ("bad", "good")
        assert good.flaw is None
    assert bad.flaw
    assert "timezone" in bad.flaw


async def test_tasks_of_a_job_that_cannot_be_read_are_looked_at(place: str) -> None:
    async with a_house(place, a_job("bad", cluster="blue")) as house:
        house.clock.on(minutes=1)
        await house.plan()
        (run,) = await house.take(house.one)
        await house.one.finish(run, RunEnd(status="started", tasks=[{"taskId": "t"}]))
        await house.rows.write_job_of_runs(UNREADABLE[:-1] + ', "cluster": "blue"}')
        await house.rows.write_fields("bad", UNREADABLE)
        (started,), _ = await house.store.runs.take_started(10)
        await house.store.runs.note_outcome(started, "failed", None)
        stored = await house.jobs.find("bad")

    assert (started.job_id, started.cluster) == ("bad", "blue")
    assert stored
    assert stored.failures == 1
