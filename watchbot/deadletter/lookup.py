"""Finds one dead letter, and leaves it where it is."""

from watchbot.aws import open_client
from watchbot.deadletter.dead_queue import DeadLetterQueue
from watchbot.deadletter.letter import ids_of
from watchbot.deadletter.walk import walking
from watchbot.lifecycle import Stop
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.message import Message
from watchbot.sqs.queue import SqsQueue


async def look_up(
    queue: DeadLetterQueue, settings: DeadLetterSettings, message_id: str | None, stop: Stop
) -> Message | None:
    """The letter of this id, its own or the one before it was given up; the first one for None.

    Returns None if there is none, and after a stop. SQS counts a receive of each letter that is
    looked at. Raises `AwsError`.
    """
    url = queue.dead_letter_queue_url
    visibility_s, wait_s = settings.visibility_timeout, settings.poll_wait
    async with open_client("sqs", settings.aws.near(url), wait_s=wait_s) as sqs:
        async with walking(
            SqsQueue(sqs, url), stop, visibility_s=visibility_s, wait_s=wait_s
        ) as walk:
            async for wave in walk.waves():
                for message in wave:
                    if message_id is None or message_id in ids_of(message):
                        return message
    return None
