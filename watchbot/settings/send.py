"""The settings of `watchbot send`: messages, destination, and when."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from watchbot.settings.base import PublicUrl, QueueUrl, Settings, ShownToken, TopicArn, option
from watchbot.settings.buckets import Bucket

MOST_DELAY_S = 900  # SQS holds a message back no longer


def _plain_address(value: object) -> object:
    if "@" in str(value):  # an error must not repeat a password
        raise ValueError("must not hold a user or a password; give its token with --token")
    return value


SchedulerUrl = Annotated[PublicUrl, BeforeValidator(_plain_address)]


class SendSettings(Settings):
    """Settings of `watchbot send`."""

    rivals = ("topic_arn", "queue_url")  # a worker has QueueUrl in its variables
    old_flags: ClassVar[Mapping[str, str]] = {"group_id": "--message-group-id"}  # AWS's own name

    topic_arn: TopicArn | None = option(None, "Publish to this topic.", "ARN")
    queue_url: QueueUrl | None = option(None, "Send to this queue.", "URL")
    subject: str | None = option(None, "Set the message's subject.", "TEXT")
    attribute: tuple[str, ...] = option(
        (),
        "Add a message attribute; also K:Number=V, K:Binary=BASE64, K:String.LABEL=V.",
        "K=V",
    )
    group_id: str | None = option(
        None, "Put the message in this group (FIFO: required; else: fair queues).", "ID"
    )
    dedup_id: str | None = option(
        None, "Use this deduplication id (FIFO; default: a new one).", "ID"
    )
    delay: int | None = option(
        None,
        "Let SQS hold the message back this long (standard queues).",
        "S",
        ge=0,
        le=MOST_DELAY_S,
    )
    at: str | None = option(
        None,
        "Deliver at this time (ISO 8601; UTC without an offset), or in 90s, 5m, 2h, 7d.",
        "TIME",
    )
    scheduler_url: SchedulerUrl | None = option(
        None, "Let this `watchbot schedule` keep messages that SQS cannot hold back so long.", "URL"
    )
    token: ShownToken | None = option(None, "Show the scheduler this token.", "TOKEN", repr=False)
    payload_bucket: Bucket | None = option(
        None, "Put what is too large for a message into this S3 bucket; send a pointer.", "NAME"
    )
    file: str | None = option(None, "Send each line of this file; -: standard input.", "LINES")
    body: str | None = None
