"""`watchbot schedule import`: takes jobs of a file, or of what came before, into the store.

What they had is left as it is. A job whose name is there already is left alone, so that an import
may be done again.
"""

import json
from typing import Any

from pydantic import ValidationError

from watchbot.lifecycle import Stop
from watchbot.schedule.job import Job, resolved
from watchbot.schedule.problems import messages
from watchbot.schedule.sources import jobs_in
from watchbot.schedule.store import Jobs, open_store
from watchbot.schedule.stored import NeverFires, Taken
from watchbot.settings.schedule import ImportSettings


async def import_jobs(settings: ImportSettings, stop: Stop) -> int:
    """Takes over all jobs of a source, and says so for each; the exit code.

    Raises `SettingError`, `DatabaseError` or `AwsError` when the source cannot be read.
    """
    refused = 0
    async with open_store(settings) as store:
        async for job_id, fields in jobs_in(settings.source, settings.account):
            problem = await _take(store.jobs, job_id, fields, dry_run=settings.dry_run)
            refused += problem is not None
            print(f"{job_id}: {problem or 'taken'}", flush=True)
            if stop.draining.is_set():
                return 1
    return 1 if refused else 0


async def _take(
    jobs: Jobs, job_id: str, fields: dict[str, Any] | str, *, dry_run: bool
) -> str | None:
    """Takes one job, but for a dry run; why not, if not."""
    if isinstance(fields, str):
        return fields
    try:
        job = Job.model_validate(resolved({**fields, "id": job_id}))
        if await jobs.find(job_id):
            raise Taken
        if not dry_run:
            await jobs.add(job)
    except ValidationError as invalid:
        return json.dumps(messages(invalid))
    except (NeverFires, Taken) as error:
        return str(error)
    return None
