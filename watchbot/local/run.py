"""Runs `watchbot local`: an embedded AWS with queue and topics, and the watcher of `listen`."""

from collections.abc import Sequence

import anyio

from watchbot.aws import open_client
from watchbot.lifecycle import Stop
from watchbot.listen import spawn
from watchbot.listen.service import listen
from watchbot.local.console import console_beside, free_port
from watchbot.local.server import running_server
from watchbot.local.stage import REGION, Stage, build, print_notifications
from watchbot.logs.sink import stdout
from watchbot.pages.door import is_loopback
from watchbot.progress.dynamodb import create_table
from watchbot.send.service import send
from watchbot.settings.base import AwsEndpoint, load
from watchbot.settings.listen import ListenSettings, WatcherSettings
from watchbot.settings.local import LocalSettings, hand_to_workers, point_at
from watchbot.settings.send import SendSettings

PROGRESS_TABLE = "watchbot-progress"


async def local(settings: LocalSettings, words: Sequence[str], stop: Stop) -> int:
    """Serves an AWS on loopback, publishes the lines of --file, and runs a watcher.

    Returns the exit code. Without `words` runs no command: the messages wait in the queue.
    """
    if words:
        spawn.resolve(words, shell=settings.shell)  # fails before it creates anything
    with running_server(settings.port) as url:
        aws = AwsEndpoint(region=REGION, endpoint_url=url)
        point_at(aws)
        stage = await build(aws, fifo=settings.fifo, raw=settings.warm == "lambda")
        async with open_client("dynamodb", aws) as dynamodb:
            await create_table(dynamodb, PROGRESS_TABLE)
        hand_to_workers(topic_arn=stage.topic_arn, progress_table=PROGRESS_TABLE)
        watcher = _watcher(settings, stage)
        async with console_beside(watcher, settings) as console_url:
            _print_guide(stage, console_url, fifo=settings.fifo)
            unsent = await _publish(settings, stage)
            async with anyio.create_task_group() as printing:
                over = anyio.Event()
                printing.start_soon(print_notifications, aws, stage, over)
                code = await _watch(watcher, words, stop)
                over.set()
                if stop.draining.is_set():  # Ctrl-C ends it at once
                    printing.cancel_scope.cancel()
    return code or unsent


async def _watch(watcher: ListenSettings, words: Sequence[str], stop: Stop) -> int:
    if words:
        return await listen(watcher, words, stop)
    await stop.draining.wait()
    return 0


def _watcher(settings: LocalSettings, stage: Stage) -> ListenSettings:
    watcher = {name: getattr(settings, name) for name in WatcherSettings.model_fields}
    given: dict[str, object] = {
        "queue_url": stage.queue_url,
        "notification_topic": stage.notification_topic_arn,
        "endpoint_url": stage.endpoint_url,
        "region": REGION,
    }
    if not settings.no_console:
        given["metrics_port"] = settings.metrics_port or free_port()
        given["show_output"] = is_loopback(settings.metrics_host)
    if settings.keep:
        given["exit_when_empty"] = False
    return load(ListenSettings, {**watcher, **given})


def _print_guide(stage: Stage, console_url: str | None, *, fifo: bool) -> None:
    group = " --group-id a" if fifo else ""
    aws_group = " --message-group-id a --message-deduplication-id 1" if fifo else ""
    aws = f"aws --endpoint-url {stage.endpoint_url} --region {REGION}"
    console = f"Watch it in a browser: {console_url}\n" if console_url else ""
    guide = f"""\
{console}An AWS of your own runs at {stage.endpoint_url}, in memory, until this ends.
  topic          {stage.topic_arn}
  queue          {stage.queue_url}
  dead letters   {stage.dead_letter_queue_url}
  notifications  {stage.notification_topic_arn}
In another terminal, paste the export lines first, then any of the other commands:
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION={REGION}
  export QueueUrl={stage.queue_url}
  export AWS_ENDPOINT_URL={stage.endpoint_url} ProgressTable={PROGRESS_TABLE}
  watchbot send hello{group}
  watchbot dead-letter list
  watchbot progress ls
  {aws} sns publish --topic-arn {stage.topic_arn} --message hello{aws_group}
Ctrl-C leaves.

"""
    stdout.write(guide.encode())


async def _publish(settings: LocalSettings, stage: Stage) -> int:
    """Publishes the lines of the file; returns 0 if all are published, else 1."""
    where: dict[str, object] = {
        "topic_arn": stage.topic_arn,
        "endpoint_url": stage.endpoint_url,
        "region": REGION,
        "group_id": "local" if settings.fifo else None,
    }
    bodies: list[dict[str, object]] = [{"body": body} for body in settings.send]
    if settings.send_file is not None:
        bodies.append({"file": str(settings.send_file)})
    codes = [await send(load(SendSettings, {**where, **what}), quiet=True) for what in bodies]
    return max(codes, default=0)
