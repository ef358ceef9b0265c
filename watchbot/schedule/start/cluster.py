"""Calls ECS for a run: lists the tasks of its job, starts tasks, stops them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from watchbot.aws import Client
from watchbot.errors import AwsError, NotFound, Rejected
from watchbot.schedule.job.job import Job
from watchbot.schedule.job.task import TAG, task_overrides
from watchbot.schedule.store.run import LeasedRun, StartCall, job_mark

DESCRIBED_AT_ONCE = 100  # ECS's limit


_AS_THEY_ARE = {  # RunTask's parameters, and the fields of a job that go there unchanged
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "enableExecuteCommand": "enable_execute_command",
    "group": "group",
    "launchType": "launch_type",
    "placementConstraints": "placement_constraints",
    "placementStrategy": "placement_strategy",
    "platformVersion": "platform_version",
    "propagateTags": "propagate_tags",
    "referenceId": "reference_id",
    "tags": "tags",
    "volumeConfigurations": "volume_configurations",
}


class ConflictingCall(Exception):
    """Another version of this program made the call with other parameters."""


class Cluster:
    """A cluster of ECS. Every call raises `AwsError`."""

    def __init__(self, ecs: Client, name: str, old_mark: str) -> None:
        self.name = name
        self._ecs, self._name, self._old_mark = ecs, name, old_mark

    async def running(self, job: Job) -> list[str]:
        """The job's running and pending tasks; includes ecs-scheduler's, excludes backfills'."""
        tasks = await self._of_family(job, "RUNNING")
        return [task["taskArn"] for task in tasks if self._is_of(job, task)]

    async def started(self, run: LeasedRun) -> list[dict[str, Any]]:
        """The tasks that a run has started, as far as ECS still knows them."""
        # Not listed by startedBy: that filter excludes others, and so finds no stopped tasks.
        # Running tasks first: a task that ends meanwhile is then in both lists, not in neither.
        tasks = await self._of_family(run.job, "RUNNING", "STOPPED")
        return [_short(task) for task in tasks if task.get("startedBy") == run.started_by]

    async def described(self, arns: Sequence[str]) -> list[dict[str, Any]]:
        """ECS's descriptions of these tasks; leaves out tasks that ECS has forgotten."""
        tasks: list[dict[str, Any]] = []
        for start in range(0, len(arns), DESCRIBED_AT_ONCE):
            some = list(arns[start : start + DESCRIBED_AT_ONCE])
            answer = await self._ecs.call("describe_tasks", cluster=self._name, tasks=some)
            tasks += answer["tasks"]
        return tasks

    async def start(
        self, run: LeasedRun, call: StartCall
    ) -> tuple[list[dict[str, Any]], list[Any]]:
        """Starts up to ten tasks; returns the started tasks, and ECS's failures of the others.

        Raises `ConflictingCall` when ECS knows the token from a call with other parameters.
        """
        try:
            answer = await self._ecs.call("run_task", **request(run, call, self._name))
        except Rejected as error:
            if error.code == "ConflictException":
                raise ConflictingCall(str(error)) from error
            raise
        return [_short(task) for task in answer.get("tasks", ())], answer.get("failures", [])

    async def containers(self, job: Job) -> list[str]:
        """The names of the containers of this job's tasks."""
        answer = await self._ecs.call("describe_task_definition", taskDefinition=job.family)
        return [each["name"] for each in answer["taskDefinition"]["containerDefinitions"]]

    async def stop(self, arns: Sequence[str], reason: str) -> None:
        """Stops tasks; ignores tasks that ECS does not know any more."""
        for arn in arns:
            try:
                await self._ecs.call("stop_task", cluster=self._name, task=arn, reason=reason)
            except (NotFound, Rejected) as error:
                if not _is_gone(error):
                    raise

    async def _of_family(self, job: Job, *statuses: str) -> list[dict[str, Any]]:
        """The tasks of the job's task definition in these statuses, each once."""
        family = job.family.rpartition("/")[2].partition(":")[0]
        arns = dict[str, None]()  # in order
        for status in statuses:
            async for arn in self._listed(family=family, desiredStatus=status):
                arns[arn] = None
        return await self.described(list(arns))

    async def _listed(self, **filters: str) -> AsyncIterator[str]:
        token: dict[str, str] = {}
        while True:
            answer = await self._ecs.call("list_tasks", cluster=self._name, **filters, **token)
            for arn in answer.get("taskArns", ()):
                yield arn
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}

    def _is_of(self, job: Job, task: dict[str, Any]) -> bool:
        by = task.get("startedBy", "")
        if by.startswith(job_mark(job.id)):
            return not by.endswith("/b")
        tags = {
            pair["value"]
            for container in task.get("overrides", {}).get("containerOverrides", ())
            for pair in container.get("environment", ())
            if pair["name"] == TAG
        }
        # ecs-scheduler put its mark only on jobs with overrides, and its name on all tasks.
        return job.id in tags or (by == self._old_mark and not tags and not job.overrides)


def request(run: LeasedRun, call: StartCall, cluster: str) -> dict[str, Any]:
    """RunTask's parameters; they depend on run and call only, so that a repeat is identical."""
    job = run.job
    optional = {
        **{name: getattr(job, field) for name, field in _AS_THEY_ARE.items()},
        "capacityProviderStrategy": [_dumped(each) for each in job.capacity_provider_strategy],
        "networkConfiguration": _dumped(job.network_configuration),
        "overrides": task_overrides(job.overrides, job.id, run.told, call.containers),
    }
    return {
        "cluster": cluster,
        "taskDefinition": job.family,
        "count": call.count,
        "startedBy": run.started_by,
        "clientToken": run.token(call.number),
        **{name: value for name, value in optional.items() if value},
    }


def _dumped(part: Any) -> Any:
    return part.model_dump(by_alias=True, mode="json") if part else None


def _short(task: dict[str, Any]) -> dict[str, Any]:
    """A task in the API's form. On Fargate it has no host."""
    return {"taskId": task["taskArn"], "hostId": task.get("containerInstanceArn")}


def _is_gone(error: AwsError) -> bool:
    return "not found" in error.text.lower()
