"""Opens what fetches bodies from S3, where `--payload-buckets` asks for that."""

from contextlib import AsyncExitStack

from watchbot.aws import open_client
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.payload import Payloads


async def open_payloads(
    house: AsyncExitStack, settings: ListenSettings, workspace: Workspace
) -> Payloads | None:
    """What fetches bodies; None where no bucket is named, or a Lambda function fetches itself."""
    if not settings.payload_buckets or settings.warm == "lambda":
        return None
    aws = settings.aws.in_region_of(settings.queues[0].url)
    s3 = await house.enter_async_context(open_client("s3", aws, connections=50))
    return Payloads(
        s3,
        settings.payload_buckets,
        workspace.root,
        most_bytes=settings.max_payload,
        keep=settings.keep_payloads,
    )
