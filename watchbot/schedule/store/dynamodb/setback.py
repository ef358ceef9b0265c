"""Plans again in DynamoDB after a set-back of its clock."""

from datetime import datetime, timedelta

from watchbot.dynamodb import Item, side_by_side
from watchbot.moment import to_text, to_time
from watchbot.schedule.store.dynamodb.table import JOBS, StoreTable, Work, key_of
from watchbot.schedule.store.planner import sooner
from watchbot.schedule.store.rows import job_due
from watchbot.schedule.store.setback import WAKES_WITHIN, set_back

CLOCK = {"pk": "clock", "sk": "clock"}


async def plan_anew(table: StoreTable, now: datetime) -> timedelta | None:
    """Stores the time; returns the clock's set-back since the last one. Raises `DatabaseError`."""
    seen = (await table.get(**CLOCK)).get("seen_at")
    found = set_back(to_time(seen) if seen else None, now)
    if found:  # two replicas may do all of this
        await _plan_jobs(table, now)
        for work in ("start", "look"):
            await _wake(table, work, now)
    await table.update(CLOCK, "SET #seen_at = :now", now=to_text(now))
    return found


async def _plan_jobs(table: StoreTable, now: datetime) -> None:
    async def again(job: Item) -> None:
        created = min(to_time(job["created_at"]), now)
        if to_time(job["created_at"]) > now:
            await table.update(
                key_of(job),
                "SET #created_at = :now",
                "#generation = :read",
                now=to_text(created),
                read=job["generation"],
            )
        if job.get("work") != "plan":
            return
        due = job_due({**job, "created_at": to_text(created)}, job["sk"], job["at"])
        next_fire_at = sooner(due, now)
        if next_fire_at:
            await table.update(
                key_of(job),
                "SET #at = :at",
                "#generation = :read AND #at = :was",
                at=to_text(next_fire_at),
                read=job["generation"],
                was=job["at"],
            )

    jobs = [job async for job in table.query("#pk = :pk", pk=JOBS)]
    await side_by_side(again, jobs)


async def _wake(table: StoreTable, work: Work, now: datetime) -> None:
    soon = to_text(now + WAKES_WITHIN)

    async def wake(run: Item) -> None:
        # A run that waits for its jitter keeps its own time.
        tried = run["attempts"] or "reason" in run or "owner" in run
        if work == "look" or tried:
            await table.update(
                key_of(run),
                "SET #at = :soon",
                "#work = :work AND #at = :was",
                soon=soon,
                work=work,
                was=run["at"],
            )

    late = table.query("#work = :work AND #at > :soon", IndexName="work", work=work, soon=soon)
    await side_by_side(wake, [run async for run in late])
