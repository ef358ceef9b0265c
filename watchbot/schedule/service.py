"""`watchbot schedule`: the database, the API, the scheduler. Start reading here.

The `planner` writes what is due into the `ledger`, in one transaction with the job's next fire.
The `starter` takes runs from there, and starts each under tokens that ECS knows again. Replicas
share nothing but the database.
"""

import logging
from contextlib import AsyncExitStack

from watchbot.lifecycle import Stop
from watchbot.schedule import COMPONENT, PACKAGE
from watchbot.schedule.api import application
from watchbot.schedule.clients import Clients
from watchbot.schedule.jobs import Jobs, database_clock
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.stacks import Stacks
from watchbot.settings.schedule import ScheduleSettings, old_variables
from watchbot.sql.database import open_database
from watchbot.sql.migrate import migrate
from watchbot.web import serving, serving_app

log = logging.getLogger(__name__)


async def schedule(settings: ScheduleSettings, stop: Stop) -> int:
    """Starts what jobs ask for until told to stop; the exit code.

    Raises `UsageError` or `DatabaseError` for what is wrong before the first run.
    """
    for told in old_variables():
        log.warning("old variable", extra={"reason": told})
    async with AsyncExitStack() as house:
        connections = settings.concurrency + 4
        database = await house.enter_async_context(
            open_database(settings.database, connections=min(connections, 20))
        )
        for name in await migrate(database, COMPONENT, PACKAGE):
            log.info("tables changed", extra={"migration": name})
        clients = await house.enter_async_context(Clients(settings.account, connections))
        jobs = Jobs(database, database_clock(database))
        table = settings.stacks_table
        others = [Stacks(clients, table, jobs).follow] if table else []
        scheduler = Scheduler(settings, database, clients, others)
        await house.enter_async_context(
            serving(
                settings.metrics_host, settings.metrics_port, scheduler.unhealthy, scheduler.unready
            )
        )
        app = application(settings, database, scheduler)
        url = await house.enter_async_context(
            serving_app(app, settings.host, settings.port, "port")
        )
        log.info("serving the API", extra={"url": url})
        await scheduler.run(stop)
    return 0
