"""The settings of `watchbot send`: messages and destination."""

from watchbot.settings.base import QueueUrl, Settings, TopicArn, option


class SendSettings(Settings):
    """Settings of `watchbot send`."""

    rivals = ("topic_arn", "queue_url")  # a worker has QueueUrl in its variables
    topic_arn: TopicArn | None = option(None, "Publish to this topic.", "ARN")
    queue_url: QueueUrl | None = option(None, "Send to this queue.", "URL")
    subject: str | None = option(None, "Set the message's subject.", "TEXT")
    attribute: tuple[str, ...] = option(
        (), "Add a message attribute; also K:Number=V, K:Binary=BASE64.", "K=V"
    )
    group_id: str | None = option(None, "Put the message in this group (FIFO: required).", "ID")
    dedup_id: str | None = option(
        None, "Use this deduplication id (FIFO; default: a new one).", "ID"
    )
    file: str | None = option(None, "Send each line of this file; -: standard input.", "LINES")
    body: str | None = None
