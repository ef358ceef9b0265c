"""Runs `watchbot schedule`: the store, the API, the scheduler. Start reading here.

The `store` plans: it enters each due run in the ledger, in one step with the job's next fire. The
`starter` takes runs from the ledger and starts each under a token, by which ECS recognizes a
repeated call. Replicas share only the store.
"""

import logging
from contextlib import AsyncExitStack

from anyio import to_thread

from watchbot import descriptors
from watchbot.lifecycle import Stop
from watchbot.pages.door import check_door
from watchbot.schedule.http.api import application
from watchbot.schedule.imports.stacks import Stacks
from watchbot.schedule.job.ecs_option import load_model
from watchbot.schedule.job.endpoints import Endpoints
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.opening import open_store
from watchbot.settings.schedule import ScheduleSettings, old_variables
from watchbot.web import Served, serving, serving_app

log = logging.getLogger(__name__)


async def schedule(settings: ScheduleSettings, stop: Stop) -> int:
    """Runs the scheduler until `stop`; returns the exit code.

    Raises `UsageError` or `DatabaseError` for an error that shows before the first run.
    """
    check_door(settings.host, settings.token)
    for told in old_variables():
        log.warning("old variable", extra={"reason": told})
    connections = settings.concurrency + 4
    descriptors.make_room(others=4 * connections)  # connections to database, ECS, SQS and SNS
    await to_thread.run_sync(load_model)  # so that the first request need not wait
    async with AsyncExitStack() as house:
        store = await house.enter_async_context(
            open_store(settings, connections=connections, days=settings.retention)
        )
        endpoints = Endpoints(settings.aws, settings.allow_endpoint)
        clients = await house.enter_async_context(Clients(settings.aws, connections, endpoints))
        table = settings.stacks_table
        others = [Stacks(clients, table, store.jobs).follow] if table else []
        scheduler = Scheduler(settings, store, clients, others)
        await house.enter_async_context(
            serving(
                settings.metrics_host,
                settings.metrics_port,
                Served(unhealthy=scheduler.unhealthy, unready=scheduler.unready),
            )
        )
        app = application(settings, store, scheduler)
        url = await house.enter_async_context(
            serving_app(app, settings.host, settings.port, "port")
        )
        log.info("serving the API", extra={"url": url})
        await scheduler.run(stop)
    return 0
