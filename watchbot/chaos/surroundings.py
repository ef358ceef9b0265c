"""The AWS that commands of one round find: empty, in memory, with a topic, a queue and a table."""

from contextlib import AsyncExitStack

from watchbot.aws import open_client
from watchbot.local.run import PROGRESS_TABLE
from watchbot.local.server import running_server
from watchbot.local.stage import REGION, build
from watchbot.progress.dynamodb import create_table
from watchbot.settings.base import AwsEndpoint
from watchbot.settings.local import hand_to_workers, point_at


async def open_aws(house: AsyncExitStack) -> None:
    """Serves an AWS until `house` is left, and points at it what this process starts."""
    url = house.enter_context(running_server())
    aws = AwsEndpoint(region=REGION, endpoint_url=url)
    point_at(aws)
    stage = await build(aws)
    async with open_client("dynamodb", aws) as dynamodb:
        await create_table(dynamodb, PROGRESS_TABLE)
    hand_to_workers(topic_arn=stage.topic_arn, progress_table=PROGRESS_TABLE)
