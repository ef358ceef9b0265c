"""Names the parts of the real scheduler that are played."""

from watchbot.errors import DatabaseDown, DatabaseError
from watchbot.lifecycle import Stop
from watchbot.moment import to_text, to_time
from watchbot.schedule import runs
from watchbot.schedule.http import cancelling
from watchbot.schedule.http.v1 import set_suspended
from watchbot.schedule.job.job import Job
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.run import LeasedRun
from watchbot.schedule.store.sql.store import COMPONENT, PACKAGE, SqlStore
from watchbot.schedule.store.store import Store
from watchbot.schedule.store.stored import NeverFires
from watchbot.settings.schedule import ScheduleSettings
from watchbot.sql.database import Database
from watchbot.sql.dialect import SQLITE, Row
from watchbot.sql.migrate import migrate
from watchbot.world import World

__all__ = [
    "SQLITE",
    "Clients",
    "DatabaseDown",
    "DatabaseError",
    "Job",
    "LeasedRun",
    "NeverFires",
    "Row",
    "ScheduleSettings",
    "Scheduler",
    "SqlStore",
    "Stop",
    "Store",
    "World",
    "cancelling",
    "runs",
    "set_suspended",
    "tables",
    "to_text",
    "to_time",
]


async def tables(database: Database) -> None:
    """Makes the tables."""
    await migrate(database, COMPONENT, PACKAGE)
