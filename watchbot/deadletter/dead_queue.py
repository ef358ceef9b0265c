"""Finds the two queues and the logs, from URLs or from a CloudFormation stack."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from watchbot.aws import Client, open_client
from watchbot.errors import Denied, NotFound, Rejected, SettingError
from watchbot.settings.base import describe
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.queue import SqsQueue
from watchbot.sqs.redrive import redrive

_OUTPUT = re.compile(r"(?P<before>.*)DeadLetterQueueUrl(?P<after>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A dead-letter queue, with its source queue and log group where known."""

    name: str
    dead_letter_queue_url: str
    queue_url: str | None = None
    log_group: str | None = None


async def find(settings: DeadLetterSettings) -> list[DeadLetterQueue]:
    """The dead-letter queues that the settings name, at least one.

    Raises `SettingError` when they name none, and `AwsError` when AWS refuses a call.
    """
    if settings.stack_name and settings.queue_url:
        both = f"{describe('stack_name')}, {describe('queue_url')}"
        raise SettingError(both, "both are set; name one of them")
    if settings.stack_name:
        return await _in_stack(settings, settings.stack_name)
    known = settings.dead_letter_queue_url or settings.queue_url
    if not known:
        names = ", ".join(map(describe, settings.rivals))
        raise SettingError(names, "none is set; name a stack or a queue")
    async with open_client("sqs", settings.aws.near(known)) as sqs:
        return [await _of_queues(settings, sqs)]


async def _of_queues(settings: DeadLetterSettings, sqs: Client) -> DeadLetterQueue:
    queue_url, dead_url = settings.queue_url, settings.dead_letter_queue_url
    if dead_url is None:
        dead_url = await _dead_letter_queue_of(sqs, queue_url or "")
        if dead_url is None:
            raise SettingError(
                describe("queue_url"),
                f"{queue_url} has no dead-letter queue; set one in its redrive policy, or name it: "
                f"{describe('dead_letter_queue_url')}",
            )
    elif queue_url is None:
        queue_url = await _only_source_of(sqs, dead_url)
    name = dead_url.rpartition("/")[2]
    group = settings.log_group
    return DeadLetterQueue(
        name=name, dead_letter_queue_url=dead_url, queue_url=queue_url, log_group=group
    )


async def _dead_letter_queue_of(sqs: Client, queue_url: str) -> str | None:
    policy = redrive(await SqsQueue(sqs, queue_url).facts())
    return policy.target_url(queue_url) if policy else None


async def _only_source_of(sqs: Client, dead_url: str) -> str | None:
    try:
        answer = await sqs.call("list_dead_letter_source_queues", QueueUrl=dead_url)
    except (Denied, Rejected):
        return None  # only replay needs the source; some servers lack this call
    urls: Sequence[str] = answer.get("queueUrls", ())
    return urls[0] if len(urls) == 1 else None


async def _in_stack(settings: DeadLetterSettings, stack: str) -> list[DeadLetterQueue]:
    async with open_client("cloudformation", settings.aws) as cloudformation:
        outputs = await _outputs(cloudformation, stack)
        found = _named_by(outputs, settings.log_group)
        if not found:
            found = await _made_by(cloudformation, settings, stack)
    if not found:
        raise SettingError(
            describe("stack_name"),
            f"the stack {stack} has no dead-letter queue: no output named DeadLetterQueueUrl, and "
            f"no queue with a redrive policy; name the queue: {describe('queue_url')}",
        )
    if settings.dead_letter_queue_url:
        return [_the_one(found, settings.dead_letter_queue_url)]
    return found


def _the_one(dead_queues: Sequence[DeadLetterQueue], dead_url: str) -> DeadLetterQueue:
    for dead_queue in dead_queues:
        # Compares account and name: the host may be the user's own endpoint.
        if dead_queue.dead_letter_queue_url.split("/")[-2:] == dead_url.split("/")[-2:]:
            return replace(dead_queue, dead_letter_queue_url=dead_url)
    raise SettingError(
        describe("dead_letter_queue_url"), f"is none of the stack's; it has {_named(dead_queues)}"
    )


def _named(dead_queues: Sequence[DeadLetterQueue]) -> str:
    return ", ".join(f"{each.name} ({each.dead_letter_queue_url})" for each in dead_queues)


async def _outputs(cloudformation: Client, stack: str) -> dict[str, str]:
    try:
        answer = await cloudformation.call("describe_stacks", StackName=stack)
    except (Rejected, NotFound) as error:
        if "does not exist" not in error.text:
            raise
        raise SettingError(
            describe("stack_name"),
            f"there is no stack {stack} here; check its name, and the region (--region)",
        ) from error
    stacks: Sequence[Mapping[str, Any]] = answer.get("Stacks", ())
    return {
        output["OutputKey"]: output["OutputValue"]
        for found in stacks
        for output in found.get("Outputs", ())
    }


def _named_by(outputs: Mapping[str, str], log_group: str | None) -> list[DeadLetterQueue]:
    """Finds queues by the outputs PREFIX+DeadLetterQueueUrl+SUFFIX of ecs-watchbot 4-9 and ours."""
    groups = [value for key, value in outputs.items() if key.endswith("LogGroup")]
    only = groups[0] if len(groups) == 1 else None  # one service may have several queues
    dead_queues = []
    for key, url in outputs.items():
        if named := _OUTPUT.fullmatch(key):
            before, after = named["before"], named["after"]
            dead_queues.append(
                DeadLetterQueue(
                    name=before + after or url.rpartition("/")[2],
                    dead_letter_queue_url=url,
                    queue_url=outputs.get(f"{before}QueueUrl{after}"),
                    log_group=log_group or outputs.get(f"{before}LogGroup{after}", only),
                )
            )
    return dead_queues


async def _made_by(
    cloudformation: Client, settings: DeadLetterSettings, stack: str
) -> list[DeadLetterQueue]:
    """Finds a stack's queues with dead-letter queues: ecs-watchbot 10 has no output for them."""
    resources = await _resources(cloudformation, stack)
    groups = [each for kind, each in resources if kind == "AWS::Logs::LogGroup"]
    log_group = settings.log_group or (groups[0] if len(groups) == 1 else None)
    urls = [each for kind, each in resources if kind == "AWS::SQS::Queue"]
    dead_queues: list[DeadLetterQueue] = []
    for url in urls:
        async with open_client("sqs", settings.aws.near(url)) as sqs:
            dead_url = await _dead_letter_queue_of(sqs, url)
        if dead_url is not None:
            name = url.rpartition("/")[2]
            dead_queue = DeadLetterQueue(
                name=name, dead_letter_queue_url=dead_url, queue_url=url, log_group=log_group
            )
            dead_queues.append(dead_queue)
    return dead_queues


async def _resources(cloudformation: Client, stack: str) -> list[tuple[str, str]]:
    resources: list[tuple[str, str]] = []
    token: dict[str, str] = {}
    while True:
        answer = await cloudformation.call("list_stack_resources", StackName=stack, **token)
        resources += [
            (each["ResourceType"], each["PhysicalResourceId"])
            for each in answer.get("StackResourceSummaries", ())
            if each.get("PhysicalResourceId")
        ]
        if not answer.get("NextToken"):
            return resources
        token = {"NextToken": answer["NextToken"]}


def chosen(dead_queues: Sequence[DeadLetterQueue]) -> DeadLetterQueue:
    """The only dead-letter queue. Raises `SettingError` for several."""
    if len(dead_queues) > 1:
        raise SettingError(
            describe("dead_letter_queue_url"),
            f"the stack has several; name one: {_named(dead_queues)}",
        )
    return dead_queues[0]
