"""What `watchbot send` sends, and where to."""

from watchbot.settings.base import QueueUrl, Settings, TopicArn, option


class SendSettings(Settings):
    """`watchbot send`."""

    rivals = ("topic_arn", "queue_url")  # a worker has QueueUrl in its variables
    topic_arn: TopicArn | None = option(None, "The topic to publish to.", "ARN")
    queue_url: QueueUrl | None = option(None, "The queue to send to.", "URL")
    subject: str | None = option(None, "The subject of the message.", "TEXT")
    attribute: tuple[str, ...] = option(
        (), "A message attribute; K:Number=V and K:Binary=BASE64 too.", "K=V"
    )
    group_id: str | None = option(None, "The message group (FIFO: required).", "ID")
    dedup_id: str | None = option(None, "The deduplication id (FIFO; else a new one).", "ID")
    file: str | None = option(None, "Send each line of this file; -: standard input.", "LINES")
    body: str | None = None
