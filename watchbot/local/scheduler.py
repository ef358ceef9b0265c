"""Runs `watchbot schedule --local`: the scheduler, with an embedded AWS for its jobs."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from watchbot.address import netloc
from watchbot.aws import open_client
from watchbot.errors import SettingError
from watchbot.lifecycle import Stop
from watchbot.local.server import running_server
from watchbot.local.stage import REGION, Stage, build, print_notifications
from watchbot.logs.sink import stdout
from watchbot.schedule.service import schedule
from watchbot.settings.base import AwsEndpoint, describe
from watchbot.settings.local import point_at
from watchbot.settings.schedule import ScheduleSettings

FAMILY = "hello"
_ELSEWHERE = {  # options that name a place in another AWS
    "endpoint_url": "is where another AWS is; leave it out with --local",
    "notification_topic": "is in another AWS; leave it out with --local, which has a topic",
}


async def schedule_locally(settings: ScheduleSettings, stop: Stop) -> int:
    """Serves an AWS on loopback, and runs the scheduler until `stop`; returns the exit code.

    Raises `SettingError` for an option that belongs to another AWS.
    """
    for name, problem in _ELSEWHERE.items():
        if getattr(settings, name) is not None:
            raise SettingError(describe(name), problem)
    with running_server() as url, TemporaryDirectory(prefix="watchbot-") as folder:
        aws = AwsEndpoint(region=settings.region or REGION, endpoint_url=url)
        point_at(aws)
        stage = await build(aws)
        await _make_cluster(aws, settings.cluster)
        here = _settings_here(settings, stage, Path(folder))
        _print_guide(here, stage)
        async with anyio.create_task_group() as printing:
            printing.start_soon(print_notifications, aws, stage, anyio.Event())
            code = await schedule(here, stop)
            printing.cancel_scope.cancel()
    return code


def _settings_here(settings: ScheduleSettings, stage: Stage, folder: Path) -> ScheduleSettings:
    """The settings for the embedded AWS. Without --database, the jobs are in a temporary file."""
    kept = "database" in settings.model_fields_set
    return settings.model_copy(
        update={
            "endpoint_url": stage.endpoint_url,
            "notification_topic": stage.notification_topic_arn,
            **({} if kept else {"database": f"sqlite:///{folder}/schedule.db"}),
        }
    )


async def _make_cluster(aws: AwsEndpoint, name: str) -> None:
    async with open_client("ecs", aws) as ecs:
        await ecs.call(
            "create_cluster",
            clusterName=name.rpartition("/")[2],
            capacityProviders=["FARGATE"],
            defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
        )
        containers = [{"name": "main", "image": FAMILY, "memory": 64}]
        await ecs.call("register_task_definition", family=FAMILY, containerDefinitions=containers)


def _print_guide(settings: ScheduleSettings, stage: Stage) -> None:
    api = f"http://{netloc(settings.host, settings.port or 'PORT')}"
    which = "" if settings.port else " (the log below says which PORT)"
    gate = " -H 'Authorization: Bearer TOKEN'" if settings.token else ""
    post = f"curl {api}/jobs{gate} -H 'Content-Type: application/json' -d"
    target = {"type": "sqs", "queueUrl": stage.queue_url, "message": "hello"}
    task = {"taskDefinition": FAMILY, "schedule": "*/5"}
    message = {"id": "tick", "schedule": "*/2", "target": target}
    guide = f"""\
An AWS of your own runs at {stage.endpoint_url}, in memory, until this ends.
  cluster  {settings.cluster}, with the task definition {FAMILY}, whose tasks end by themselves
  topic    {stage.topic_arn}, which feeds the queue
  queue    {stage.queue_url}
Give it jobs from another terminal, a task every five seconds and a message every two:
  {post} '{json.dumps(task)}'
  {post} '{json.dumps(message)}'
Run a command for each message:
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION={settings.region or REGION}
  watchbot listen --queue-url {stage.queue_url} 'echo "$Message"'
See jobs, their next fires and their runs: {api}{which}
Ctrl-C leaves.

"""
    stdout.write(guide.encode())
