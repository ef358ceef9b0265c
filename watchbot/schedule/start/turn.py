"""Orders the decisions about a job's runs, and finds out the job's other work.

A job has one claim, which names the run to decide. The claim lasts until that run is put off or
over, or until no replica works at it. Meanwhile no other run of the job may be decided. A decision
is stored only if the claim still names its run. So each decision sees all earlier ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchbot.schedule.job.job import MAX_TASKS
from watchbot.schedule.start.cluster import Cluster
from watchbot.schedule.start.demand import UnderWay
from watchbot.schedule.store.run import LeasedRun, Other

NEW = timedelta(minutes=1)  # how long ECS may not know a task that it has started
_OVER = "STOPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """The other runs of a job, and their unfinished tasks."""

    runs: Sequence[Other]
    tasks: frozenset[str]

    def by_cluster(self, otherwise: str) -> dict[str, list[str]]:
        """The unfinished tasks, by cluster."""
        known = {arn: o.cluster or otherwise for o in self.runs for arn in o.arns}
        found: dict[str, list[str]] = {}
        for arn in sorted(self.tasks):
            found.setdefault(known.get(arn, otherwise), []).append(arn)
        return found

    def under_way(self, run: LeasedRun) -> UnderWay:
        """The job's other work, as the decision about `run` needs it."""
        open_runs = [other for other in self.runs if not other.over]
        begun = [other for other in open_runs if _is_begun(other, run)]
        return UnderWay(
            tasks=len(self.tasks),
            begun=len(begun),
            missing=sum(MAX_TASKS if o.missing is None else o.missing for o in begun),
            ahead=sum(_goes_before(other, run) for other in open_runs),
        )

    def runs_under_way(self, run: LeasedRun) -> int:
        """The number of runs with unfinished tasks, or with tasks still to start."""
        return sum(
            _is_begun(other, run) and (not other.over or not self.tasks.isdisjoint(other.arns))
            for other in self.runs
        )


def of_its_kind(run: LeasedRun, others: Iterable[Other]) -> list[Other]:
    """The other runs that count for `run`: backfills count only for backfills."""
    backfill = run.cause == "backfill"
    return [other for other in others if (other.cause == "backfill") == backfill]


async def others_of(
    run: LeasedRun,
    runs: Sequence[Other],
    cluster: Cluster,
    elsewhere: Sequence[Cluster],
    now: datetime,
) -> Others:
    """Asks ECS for the unfinished tasks of these runs. Raises `AwsError`.

    Asks by task id, because ECS's lists lag and cover only one task definition. The lists add tasks
    that ecs-scheduler started, or a scheduler with another ledger.
    """
    mine = of_its_kind(run, runs)
    found = frozenset[str]()
    for each in (cluster, *elsewhere):
        here = [o for o in mine if o.arns and (o.cluster or cluster.name) == each.name]
        found |= await _not_done(here, each, now)
    if run.cause != "backfill":
        found |= frozenset(await cluster.running(run.job))
    return Others(runs=mine, tasks=found)


async def _not_done(runs: Sequence[Other], cluster: Cluster, now: datetime) -> frozenset[str]:
    arns = [arn for other in runs for arn in other.arns]
    told = {task["taskArn"]: task["lastStatus"] for task in await cluster.described(arns)}
    new = {
        arn
        for other in runs
        if other.started_at is None or now - other.started_at < NEW
        for arn in other.arns
    }
    return frozenset(arn for arn in arns if told.get(arn, None if arn in new else _OVER) != _OVER)


def _is_begun(other: Other, run: LeasedRun) -> bool:
    # Leaves out later runs that have started no task: else two runs would wait for each other.
    return other.begun and (not other.sure or other.key < run.order)


def _goes_before(other: Other, run: LeasedRun) -> bool:
    return not other.begun and not other.asleep and other.key < run.order
