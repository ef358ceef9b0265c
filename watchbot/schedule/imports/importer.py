"""Imports jobs from a file, or from an earlier scheduler, into the store.

Does not change the source. Skips a job whose name the store has already; that is no error if the
fields are equal, so that an import can be repeated.
"""

import json

from pydantic import ValidationError

from watchbot.lifecycle import Stop
from watchbot.schedule.http.body import unwritable
from watchbot.schedule.http.given import new_job
from watchbot.schedule.http.reading import slip, warning
from watchbot.schedule.imports.sources import Found, jobs_in
from watchbot.schedule.job.endpoints import Endpoints
from watchbot.schedule.job.job import Job
from watchbot.schedule.job.problems import messages
from watchbot.schedule.store.opening import open_store
from watchbot.schedule.store.store import Store
from watchbot.schedule.store.stored import NeverFires, Taken
from watchbot.settings.schedule import ImportSettings

IMPORTED, WOULD_BE, UNCHANGED = "imported", "would be imported", "unchanged"
_DIFFERS = "not imported: a job with this name exists, with other fields"
_GOOD = (IMPORTED, WOULD_BE, UNCHANGED)


async def import_jobs(settings: ImportSettings, stop: Stop) -> int:
    """Imports all jobs of a source, and prints a line for each; returns the exit code.

    Raises `SettingError`, `DatabaseError` or `AwsError` when the source cannot be read.
    """
    refused, endpoints = 0, Endpoints(settings.aws, settings.allow_endpoint)
    async with open_store(settings) as store:
        async for found in jobs_in(settings.source, settings.aws):
            verdict = await _take(found, store, endpoints, dry_run=settings.dry_run)
            refused += not verdict.startswith(_GOOD)
            name = found[0] if found[0].isprintable() else ascii(found[0])
            print(f"{name}: {verdict}", flush=True)
            if stop.draining.is_set():
                return 1
    return 1 if refused else 0


async def _take(found: Found, store: Store, endpoints: Endpoints, *, dry_run: bool) -> str:
    """Imports one job, unless this is a dry run; returns the result in words."""
    job_id, fields = found
    if isinstance(fields, str):
        return fields
    flawed = dict(unwritable(fields))
    if flawed:
        return json.dumps(flawed)
    try:
        job = new_job({**fields, "id": job_id}, "aps8", endpoints)
        if there := await store.jobs.find(job_id):
            return UNCHANGED if there.job == job else _DIFFERS
        if not dry_run:
            await store.jobs.add(job)
    except ValidationError as invalid:
        return json.dumps(messages(invalid, Job))
    except (NeverFires, Taken) as error:
        return str(error)
    told = slip(job, await store.now())
    done = WOULD_BE if dry_run else IMPORTED
    return f"{done}; {warning(told)}" if told else done
