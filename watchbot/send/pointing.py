"""Puts bodies that are too large for SQS or SNS into S3, and sends pointers to them."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import uuid4

from watchbot.aws import Client, open_client
from watchbot.errors import AwsError
from watchbot.send.options import STORED_BYTES
from watchbot.settings.send import SendSettings
from watchbot.sqs.destination import Destination, Result
from watchbot.sqs.outgoing import MESSAGE_BYTES, Outgoing, Unsent, size_bytes
from watchbot.sqs.payload import Pointer, pointing
from watchbot.sqs.publish import BATCH_BYTES, Publisher


class _FittedLate:
    """A destination that is given messages as their sender has them: a body without an envelope."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    @property
    def fifo(self) -> bool:
        return self._destination.fifo

    def fit(self, message: Outgoing) -> Outgoing:
        return message

    async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
        return await self._destination.send(list(map(self._destination.fit, messages)))


class PointingPublisher(Publisher):
    """A `Publisher` that stores each body that makes its message larger than `most_bytes`."""

    def __init__(self, destination: Destination, s3: Client, bucket: str, most_bytes: int) -> None:
        super().__init__(_FittedLate(destination))
        self._fit = destination.fit
        self._s3, self._bucket, self._most_bytes = s3, bucket, most_bytes

    async def _send(self, batch: Sequence[Outgoing]) -> list[Result]:
        try:
            stored = [await self._stored(message) for message in batch]
        except AwsError as error:
            self._fatal = self._fatal or error
            return [Unsent(code=error.code, text=error.text, passing=True)] * len(batch)
        return await super()._send(stored)

    async def _stored(self, message: Outgoing) -> Outgoing:
        if size_bytes(self._fit(message)) <= self._most_bytes:
            return message
        pointer = Pointer(self._bucket, str(uuid4()))
        data = message.body.encode(errors="surrogateescape")  # bytes that are no text stay bytes
        if len(data) > STORED_BYTES:
            return message  # which is refused for its size
        await self._s3.call("put_object", Bucket=pointer.bucket, Key=pointer.key, Body=data)
        return pointing(message, pointer, len(data))


async def open_publisher(
    house: AsyncExitStack, destination: Destination, target: str, settings: SendSettings
) -> Publisher:
    """The publisher for a target; one that stores large bodies, where a bucket is named."""
    if settings.payload_bucket is None:
        return Publisher(destination)
    s3 = await house.enter_async_context(open_client("s3", settings.aws.in_region_of(target)))
    # A topic takes this much unless its limit was raised, and a queue takes 1 MiB.
    most_bytes = BATCH_BYTES if target.startswith("arn:") else MESSAGE_BYTES
    return PointingPublisher(destination, s3, settings.payload_bucket, most_bytes)
