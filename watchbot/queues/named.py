"""Finds the queues that a command is about: those given by URL, or all of a prefix."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from watchbot.aws import Client, open_client
from watchbot.errors import SettingError, WatchbotError
from watchbot.settings.base import AwsEndpoint, describe
from watchbot.settings.queues import shares
from watchbot.settings.status import StatusSettings
from watchbot.settings.whereabouts import queue_name

PAGE = 1000  # queues of one answer; SQS names no further ones unless a size is asked for


class NoSuchQueues(WatchbotError):
    """No queue's name begins with the prefix."""


def given(texts: Sequence[str]) -> list[str]:
    """The URLs in texts that each hold `URL` or `URL=WEIGHT`, as a watcher's variable does.

    Raises `SettingError` without any.
    """
    if not texts:
        raise SettingError(describe("queue_url"), "is missing; name a queue")
    return [share.url for share in shares(texts)]


async def asked_for(settings: StatusSettings) -> Sequence[str]:
    """The URLs of the queues to show, at least one; a prefix's in order of their names.

    Raises `SettingError`, `NoSuchQueues`, and `AwsError` when the queues cannot be listed.
    """
    prefix = settings.queue_prefix
    if settings.queue_url and prefix is None:
        return given(settings.queue_url)
    if settings.queue_url or prefix is None:
        names = f"{describe('queue_url')}, {describe('queue_prefix')}"
        problem = "both are set; name one of them" if prefix is not None else "name one of them"
        raise SettingError(names, problem)
    urls = await _beginning_with(prefix, settings.aws)
    if not urls:
        raise NoSuchQueues(
            f"no queue here has a name that begins with {prefix!r}; "
            "check it, the account, and the region (--region)"
        )
    return sorted(urls, key=queue_name)


@asynccontextmanager
async def opened(urls: Sequence[str], aws: AwsEndpoint) -> AsyncIterator[Mapping[str, Client]]:
    """Opens a client for each queue, by URL, in order; one region and server has one client."""
    async with AsyncExitStack() as house:
        clients: dict[AwsEndpoint, Client] = {}
        for near in map(aws.near, urls):
            if near not in clients:
                clients[near] = await house.enter_async_context(open_client("sqs", near))
        yield {url: clients[aws.near(url)] for url in urls}


async def _beginning_with(prefix: str, aws: AwsEndpoint) -> list[str]:
    urls: list[str] = []
    token: dict[str, str] = {}
    async with open_client("sqs", aws) as client:
        while True:
            answer = await client.call(
                "list_queues", QueueNamePrefix=prefix, MaxResults=PAGE, **token
            )
            urls += answer.get("QueueUrls") or ()
            if not answer.get("NextToken"):
                return urls
            token = {"NextToken": answer["NextToken"]}
