"""Plays a history: the real scheduler and store, in replicas that die and come back."""

import asyncio
import functools
import sqlite3
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

from starlette.exceptions import HTTPException

from tests.simulation.inline import SHOWN_URL, connect
from tests.simulation.jumping import JumpingLoop, elapse, run
from tests.simulation.playing import Played
from tests.simulation.quiet import quiet
from tests.simulation.schedule.database import InlineDatabase, blank
from tests.simulation.schedule.ecs import SimulatedEcs
from tests.simulation.schedule.history import Event, History
from tests.simulation.schedule.laws import Ban, Key, Laws
from tests.simulation.schedule.real import (
    Clients,
    DatabaseDown,
    DatabaseError,
    Job,
    NeverFires,
    Scheduler,
    ScheduleSettings,
    SqlStore,
    Stop,
    Store,
    World,
    cancelling,
    runs,
    set_suspended,
    to_text,
    to_time,
)
from tests.simulation.schedule.watched import EcsAlone, Watched

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEPT = timedelta(days=90)
MOST_STEPS = 400_000
SETTLE_S = 400  # until every run is over, once all is well: pauses between tries grow to a minute
BEFORE = 3600  # seconds: backfills are of the hour before
_OPEN = """
SELECT (SELECT count(*) FROM schedule_run WHERE wake_at IS NOT NULL)
+ (SELECT count(*) FROM schedule_job WHERE next_fire_at IS NOT NULL)
"""


def play(history: History) -> Played:
    """Plays a history; each play gives an equal result."""
    with quiet():
        return _played(history)


def _played(history: History) -> Played:
    loop = JumpingLoop(MOST_STEPS)
    with_tables = connect()
    with_tables.deserialize(blank())
    world = _World(history, loop, with_tables)
    try:
        run(loop, world.story())
    except Exception as error:
        world.laws.gave_up(error)
    found = with_tables.execute("SELECT count(*) FROM schedule_run").fetchone()[0]
    with_tables.close()
    return Played(
        lines=world.laws.lines,
        broken=world.laws.broken,
        seconds=loop.time(),
        runs=found,
        faults=world.laws.injected + len(history.events),
        checked=world.laws.checked,
    )


class _Replica:
    def __init__(self, world: "_World", number: int) -> None:
        self._world, self._number = world, number
        self._lives = 0
        self._task: asyncio.Task[None] | None = None
        self._stop: Stop | None = None

    def live(self) -> None:
        """Starts it; it is another process each time."""
        self._lives += 1
        name = f"replica {self._number}.{self._lives}"
        self._world.laws.say(name, "starts")
        self._stop = Stop()
        scheduler = self._world.scheduler(name)
        self._task = asyncio.get_running_loop().create_task(scheduler.run(self._stop))

    def kill(self) -> None:
        if self._task:
            self._world.laws.say(f"replica {self._number}.{self._lives}", "is killed")
            self._task.cancel()
            self._task = None

    def drain(self) -> None:
        if self._stop:
            self._world.laws.say(f"replica {self._number}.{self._lives}", "drains")
            self._stop.ask()
            self._stop = None

    async def over(self) -> None:
        self.drain()
        if self._task:
            await self._task


class _World:
    def __init__(self, history: History, loop: JumpingLoop, database: sqlite3.Connection) -> None:
        self._history, self._loop, self._database = history, loop, database
        self._chance = Random(history.seed)
        self._faults = dict(history.faults)
        self._back_s, self._unreachable = 0.0, False
        self.laws = Laws({job.id: job for job in history.jobs}, loop.time)
        self.laws.entered_at = self._entered_at
        self._versions = dict.fromkeys((job.id for job in history.jobs), 0)
        self._changed = set[str]()
        self._ecs = SimulatedEcs(self.laws, self._chance, self._faults)
        self._people = self._store(self._link(faulty=False), "people")
        self._replicas = [_Replica(self, number) for number in range(history.replicas)]

    async def story(self) -> None:
        for job in self._history.jobs:
            await self._people.jobs.add(self._job(job.id))
        for replica in self._replicas:
            replica.live()
        async with asyncio.TaskGroup() as deeds:
            for event in self._history.events:
                deeds.create_task(self._in_time(event))
            await elapse(self._history.seconds)
        await self._settle()
        self._judge()

    async def _in_time(self, event: Event) -> None:
        await elapse(event.at)
        self.laws.say("history", " ".join(map(str, (event.what, event.job, event.number))))
        try:
            await getattr(self, f"_{event.what}")(event)
        except HTTPException as error:
            self.laws.say("people", f"are told {error.status_code}")
        except NeverFires:
            self.laws.say("people", "are told 400")
        except DatabaseError:
            self.laws.say("people", "are told 503")

    async def _settle(self) -> None:
        self._faults.clear()
        self._unreachable = self._ecs.away = False
        self._ecs.room = 1_000_000
        self.laws.say("history", "all is well")
        for _ in range(SETTLE_S // 4):
            if not self._database.execute(_OPEN).fetchone()[0] or self.laws.broken:
                break
            await elapse(4)
        for replica in self._replicas:
            await replica.over()

    # Events by people.

    async def _run(self, event: Event) -> None:
        job = await self._people.jobs.find(event.job)
        if job:
            await runs.run_now(self._people, job)

    async def _pause(self, event: Event) -> None:
        self._changed.add(event.job)
        await set_suspended(self._people.jobs, event.job, suspended=True, note=None)
        self.laws.paused.add(event.job)
        self._ban(event.job, "the job was paused")

    async def _resume(self, event: Event) -> None:
        self.laws.paused.discard(event.job)
        await set_suspended(self._people.jobs, event.job, suspended=False, note=None)

    async def _edit(self, event: Event) -> None:
        old = await self._people.jobs.find(event.job)
        if old is None:
            return
        version = self._next_version(event.job)
        new = self._job(event.job).model_copy(update={"suspended": old.job.suspended})
        if await self._people.jobs.change(old, new):
            self.laws.versions[event.job] = max(version, self.laws.versions[event.job])

    async def _delete(self, event: Event) -> None:
        self._changed.add(event.job)
        if await self._people.jobs.remove(event.job):
            self.laws.paused.add(event.job)
            self._ban(event.job, "the job was deleted")

    async def _make(self, event: Event) -> None:
        if await self._people.jobs.find(event.job):
            return
        self.laws.paused.discard(event.job)
        version = self._next_version(event.job)
        await self._people.jobs.add(self._job(event.job))
        self.laws.versions[event.job] = max(version, self.laws.versions[event.job])

    async def _backfill(self, event: Event) -> None:
        job = await self._people.jobs.find(event.job)
        if job is None:
            return
        start = START - timedelta(seconds=BEFORE)
        fires = runs.between(job, start, start + timedelta(seconds=20))[: event.number + 2]
        at_once = event.number % 2 + 1
        self.laws.concurrency[event.job] = max(at_once, self.laws.concurrency[event.job])
        # Those that were cancelled may be asked for again.
        for fire in fires:
            self.laws.bans.pop(_key(event.job, fire, "b"), None)
        await runs.backfill(self._people, job, fires, at_once)

    async def _cancel_backfill(self, event: Event) -> None:
        await cancelling.cancel_backfill(self._people, event.job)
        self._ban(event.job, "its backfill was cancelled", cause="backfill")

    async def _cancel_run(self, event: Event) -> None:
        rows = await self._people.runs.of_job(event.job, 10, None)
        due = [row for row in rows if row["status"] == "due"]
        if due:
            due_at = to_time(due[event.number % len(due)]["dueAt"])
            await cancelling.cancel_run(self._people, event.job, due_at)
            self._ban(event.job, "it was cancelled", due_at=due_at)

    # Events of machines.

    async def _kill(self, event: Event) -> None:
        replica = self._replicas[event.number]
        replica.kill()
        await elapse(event.seconds)
        replica.kill()
        replica.live()

    async def _drain(self, event: Event) -> None:
        replica = self._replicas[event.number]
        replica.drain()
        await elapse(event.seconds)
        replica.kill()
        replica.live()

    async def _database_away(self, event: Event) -> None:
        self._unreachable = True
        await elapse(event.seconds)
        self._unreachable = False

    async def _ecs_away(self, event: Event) -> None:
        self._ecs.away = True
        await elapse(event.seconds)
        self._ecs.away = False

    async def _full(self, event: Event) -> None:
        self._ecs.room = event.number
        await elapse(event.seconds)
        self._ecs.room = 1_000_000

    async def _set_back(self, event: Event) -> None:
        self._back_s += event.seconds * 4
        self.laws.steady = False

    # The scheduler's surroundings.

    def scheduler(self, name: str) -> Scheduler:
        """A replica, as the service makes one."""
        store = self._store(self._link(faulty=True), name)
        world = World(
            now=self._loop.time,
            wall=lambda: self._now().timestamp(),
            chance=Random(f"{self._history.seed} {name}"),
        )
        clients = cast(Clients, EcsAlone(self._ecs.of_replica(name)))
        return Scheduler(_settings(), store, clients, world=world)

    def _store(self, database: InlineDatabase, name: str) -> Store:
        async def now(_: object) -> datetime:
            return self._now()

        return cast(Store, Watched(SqlStore(database, now, KEPT), name, self.laws))

    def _link(self, *, faulty: bool) -> InlineDatabase:
        link = InlineDatabase(self._database)

        async def pause() -> None:
            if self._unreachable:
                await elapse(0.1)
                raise DatabaseDown(SHOWN_URL, "away")
            if faulty:
                await elapse(self._chance.uniform(0, 0.01 + self._faults.get("slow", 0) / 4))

        link.pause = pause
        if faulty:
            link.answer = pause
            link.refused = lambda: self._happens("uncommitted")
            link.unanswered = lambda: self._happens("unanswered")
        return link

    def _happens(self, fault: str) -> bool:
        found = self._chance.random() < self._faults.get(fault, 0)
        self.laws.injected += found
        return found

    def _now(self) -> datetime:
        now = START + timedelta(seconds=self._loop.time() - self._back_s)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _next_version(self, job_id: str) -> int:
        self._versions[job_id] += 1
        return self._versions[job_id]

    def _job(self, job_id: str) -> Job:
        """The newest version of a job; the task definition changes, too."""
        (job,) = (each for each in self._history.jobs if each.id == job_id)
        version = self._versions[job_id]
        return Job.model_validate(
            {
                "id": job.id,
                "schedule": f"*/{job.every} * * * * *",
                "dialect": "cron",
                "scheduleEnd": (START + timedelta(seconds=self._history.seconds)).isoformat(),
                "taskDefinition": f"{job.id}-{version % 2}",
                "taskCount": job.tasks,
                "overlap": job.overlap,
                "misfire": {"policy": job.misfire, "grace": 60, "max": 5},
                "retry": {"attempts": 100, "maxAge": 82800},
                "overrides": [{"containerName": "main", "environment": {"VERSION": str(version)}}],
            }
        )

    # Reports to the laws.

    def _ban(
        self, job_id: str, why: str, cause: str | None = None, due_at: datetime | None = None
    ) -> None:
        """Notes what may not be started any more. Whoever has ended runs was answered just now."""
        rows = self._database.execute(
            "SELECT due_at, cause, owner, call FROM schedule_run "
            "WHERE job_id = ? AND status = 'due' AND called_off IS NOT NULL",
            (job_id,),
        )
        for at, of_cause, owner, call in rows:
            if cause in {None, of_cause} and due_at in {None, to_time(at)}:
                key = _key(job_id, to_time(at), of_cause[0])
                self.laws.bans.setdefault(key, Ban(why, bool(owner and call)))
                self.laws.doubtful = self.laws.doubtful or bool(call)
        ended = self._database.execute(
            "SELECT due_at, cause FROM schedule_run WHERE job_id = ? AND status = 'skipped'",
            (job_id,),
        )
        for at, of_cause in ended:
            key = _key(job_id, to_time(at), of_cause[0])
            self.laws.bans.setdefault(key, Ban(why, under_way=False))

    def _entered_at(self, key: Key) -> float | None:
        rows = self._rows(key, "created_at")
        return (to_time(rows[0][0]) - START).total_seconds() if rows else None

    def _rows(self, key: Key, columns: str) -> list[Any]:
        return self._database.execute(
            f"SELECT {columns} FROM schedule_run WHERE job_id = ? AND due_at = ? "
            "AND substr(cause, 1, 1) = ?",
            (key[0], to_text(datetime.fromtimestamp(key[1] / 1000, UTC)), key[2]),
        ).fetchall()

    def _judge(self) -> None:
        """Checks the laws at the end."""
        check = self.laws.check
        every = "SELECT job_id, due_at, cause, status, reason FROM schedule_run ORDER BY 1, 2, 3"
        for row in self._database.execute(every):
            self.laws.say("ledger", " ".join(map(str, row)))
            check(row[3] != "due", "nothing lost", f"{row[0]} {row[1]} is not over")
        for key, arns in sorted(self.laws.placed.items()):
            ((status, tasks),) = self._rows(key, "status, tasks")
            known = status == "uncertain" or all(arn in tasks for arn in arns)
            check(known, "every task known", f"{key}: {status} {tasks}, there are {arns}")
        if self.laws.steady:
            for job in self._history.jobs:
                if job.id not in self._changed:
                    self._check_fires(job.id, job.every)

    def _check_fires(self, job_id: str, every: int) -> None:
        found = self._database.execute(
            "SELECT count(*) FROM schedule_run WHERE job_id = ? AND cause = 'schedule'", (job_id,)
        ).fetchone()[0]
        due = {
            second
            for second in range(1, int(self._history.seconds) + 1)
            if second % 60 % every == 0
        }
        self.laws.check(found == len(due), "nothing lost", f"{job_id}: {found} fires of {len(due)}")


@functools.cache
def _settings() -> ScheduleSettings:
    return ScheduleSettings()


def _key(job_id: str, due_at: datetime, cause: str) -> Key:
    return job_id, round(due_at.timestamp() * 1000), cause
