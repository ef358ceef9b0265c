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
class Place:
    """A dead-letter queue, with its source queue and log group where known."""

    name: str
    dead_letter_queue_url: str
    queue_url: str | None = None
    log_group: str | None = None


async def find(settings: DeadLetterSettings) -> list[Place]:
    """The places that the settings name, at least one.

    Raises `SettingError` when they name none, `AwsError` for what AWS refuses.
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
    async with open_client("sqs", settings.account.near(known)) as sqs:
        return [await _of_queues(settings, sqs)]


async def _of_queues(settings: DeadLetterSettings, sqs: Client) -> Place:
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
    return Place(name=name, dead_letter_queue_url=dead_url, queue_url=queue_url, log_group=group)


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


async def _in_stack(settings: DeadLetterSettings, stack: str) -> list[Place]:
    async with open_client("cloudformation", settings.account) as cloudformation:
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


def _the_one(places: Sequence[Place], dead_url: str) -> Place:
    for place in places:
        # Compares account and name: the host may be the user's own endpoint.
        if place.dead_letter_queue_url.split("/")[-2:] == dead_url.split("/")[-2:]:
            return replace(place, dead_letter_queue_url=dead_url)
    raise SettingError(
        describe("dead_letter_queue_url"), f"is none of the stack's; it has {_named(places)}"
    )


def _named(places: Sequence[Place]) -> str:
    return ", ".join(f"{each.name} ({each.dead_letter_queue_url})" for each in places)


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


def _named_by(outputs: Mapping[str, str], log_group: str | None) -> list[Place]:
    """Finds queues by the outputs PREFIX+DeadLetterQueueUrl+SUFFIX of ecs-watchbot 4-9 and ours."""
    places = []
    for key, url in outputs.items():
        if named := _OUTPUT.fullmatch(key):
            before, after = named["before"], named["after"]
            places.append(
                Place(
                    name=before + after or url.rpartition("/")[2],
                    dead_letter_queue_url=url,
                    queue_url=outputs.get(f"{before}QueueUrl{after}"),
                    log_group=log_group or outputs.get(f"{before}LogGroup{after}"),
                )
            )
    return places


async def _made_by(cloudformation: Client, settings: DeadLetterSettings, stack: str) -> list[Place]:
    """Finds a stack's queues with dead-letter queues: ecs-watchbot 10 has no output for them."""
    resources = await _resources(cloudformation, stack)
    groups = [each for kind, each in resources if kind == "AWS::Logs::LogGroup"]
    log_group = settings.log_group or (groups[0] if len(groups) == 1 else None)
    urls = [each for kind, each in resources if kind == "AWS::SQS::Queue"]
    places: list[Place] = []
    for url in urls:
        async with open_client("sqs", settings.account.near(url)) as sqs:
            dead_url = await _dead_letter_queue_of(sqs, url)
        if dead_url is not None:
            name = url.rpartition("/")[2]
            place = Place(
                name=name, dead_letter_queue_url=dead_url, queue_url=url, log_group=log_group
            )
            places.append(place)
    return places


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


def chosen(places: Sequence[Place]) -> Place:
    """The only place. Raises `SettingError` for several."""
    if len(places) > 1:
        raise SettingError(
            describe("dead_letter_queue_url"), f"the stack has several; name one: {_named(places)}"
        )
    return places[0]
