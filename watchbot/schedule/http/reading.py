"""Shows how the API reads a job's schedule: in words, next fires, and a warning of a mistake."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchbot.errors import BadSchedule
from watchbot.moment import to_text
from watchbot.schedule.cron.dialects import Clock, dialect_of, parse
from watchbot.schedule.cron.words import in_words
from watchbot.schedule.job.job import Job
from watchbot.schedule.runs import upcoming
from watchbot.schedule.store.stored import StoredJob, unstored

FIRES = 3


def reading(stored: StoredJob, now: datetime) -> dict[str, Any]:
    """The schedule of a job in words, and its next fires, even if it is paused."""
    fires = [to_text(fire) for fire in upcoming(stored, now, FIRES)]
    return {"scheduleReads": words(stored.job, stored.created_at), "nextFires": fires}


def words(job: Job, created: datetime) -> str:
    """The schedule of a job in words, as `every day at 07:00 Europe/Berlin`."""
    return in_words(job.timetable(created), job.timezone)


def slip(job: Job, now: datetime) -> dict[str, Any]:
    """Explains how the API reads five fields without a dialect, and how a crontab would.

    Empty for any other schedule, because only this one is ambiguous.
    """
    text = job.schedule
    if job.dialect or dialect_of(text) != "aps8" or len(text.split()) != 5:
        return {}
    told: dict[str, Any] = reading(unstored(job, now), now)
    with contextlib.suppress(BadSchedule):
        cron = in_words(parse(text, "cron", Clock(timezone=job.timezone)), job.timezone)
        told["scheduleWarning"] = (
            f'five fields begin with the second here, as in ecs-scheduler; "dialect": "cron" '
            f"would make this {cron}"
        )
    return told


def warning(told: Mapping[str, Any]) -> str:
    """The explanation as one line for a log."""
    line = f"it fires {told['scheduleReads']}"
    return f"{line}; {told['scheduleWarning']}" if "scheduleWarning" in told else line
