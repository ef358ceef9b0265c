"""Tests the entries for a due job."""

from datetime import UTC, datetime, timedelta

from watchbot.schedule.job.job import Job
from watchbot.schedule.store.planner import Due, JobPlan, plan_job

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def plan(job_id: str, at: datetime) -> JobPlan:
    """The plan of a job that is due at that time, and is started within a minute from then."""
    fields = {"id": job_id, "schedule": "* * * * *", "dialect": "cron", "jitter": 60}
    due = Due(
        id=job_id,
        fields=Job.model_validate(fields).stored(),
        generation=1,
        created_at=NOON,
        next_fire_at=at,
    )
    return plan_job(due, at)


def delay(job_id: str, at: datetime) -> timedelta:
    (entry,) = plan(job_id, at).entries
    assert entry.wake_at
    return entry.wake_at - entry.due_at


def test_jitter_of_a_run_is_the_same_for_all_replicas() -> None:
    assert delay("j", NOON) == delay("j", NOON)


def test_jitter_differs_by_job_and_by_run() -> None:
    delays = {delay(job_id, at) for job_id in "ab" for at in (NOON, NOON + timedelta(minutes=1))}

    assert len(delays) == 4
    assert max(delays) < timedelta(minutes=1)
