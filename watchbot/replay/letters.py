"""Finds a dead letter by its id, and leaves it where it is."""

from dataclasses import replace

from watchbot.aws import open_client
from watchbot.deadletter.dead_queue import chosen, find
from watchbot.deadletter.letter import ids_of
from watchbot.deadletter.walk import walking
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.evidence import original, read
from watchbot.sqs.message import Message
from watchbot.sqs.queue import SqsQueue


async def from_letters(
    settings: DeadLetterSettings, message_id: str | None, stop: Stop
) -> Message | None:
    """The dead letter of this id, or the first one, as its last run got it; None after a stop.

    `message_id` is the letter's own, or that of the message before it was given up. SQS counts a
    receive of the letter. Raises `UsageError` if there is none, and `AwsError`.
    """
    queue = chosen(await find(settings))
    url = queue.dead_letter_queue_url
    async with open_client("sqs", settings.aws.near(url), wait_s=settings.poll_wait) as sqs:
        visibility_s, wait_s = settings.visibility_timeout, settings.poll_wait
        async with walking(
            SqsQueue(sqs, url), stop, visibility_s=visibility_s, wait_s=wait_s
        ) as walk:
            async for wave in walk.waves():
                for message in wave:
                    if message_id is None or message_id in ids_of(message):
                        return _as_it_was(message)
    if stop.draining.is_set():
        return None
    if message_id is None:
        raise UsageError(f"{queue.name} is empty, so there is no dead letter to replay")
    raise UsageError(
        f"{message_id!r} is no file, and no id of a letter in {queue.name}; "
        "`watchbot dead-letter list` prints the ids"
    )


def _as_it_was(letter: Message) -> Message:
    """The message with the id, the time and the count that its last run has seen."""
    message, evidence = original(letter), read(letter)
    if evidence is None:
        return message
    system = {**message.system, "ApproximateReceiveCount": str(evidence.receives)}
    if evidence.sent_ms is not None:
        system["SentTimestamp"] = str(evidence.sent_ms)
    return replace(message, id=evidence.message_id, system=system)
