"""Takes the message to replay from the dead letters."""

from dataclasses import replace

from watchbot.deadletter.dead_queue import chosen, find
from watchbot.deadletter.lookup import look_up
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.evidence import original, read
from watchbot.sqs.message import Message


async def from_letters(
    settings: DeadLetterSettings, message_id: str | None, stop: Stop
) -> Message | None:
    """The dead letter of this id, or the first one, as its last run got it; None after a stop.

    Raises `UsageError` if there is none, and `AwsError`.
    """
    queue = chosen(await find(settings))
    letter = await look_up(queue, settings, message_id, stop)
    if letter is not None:
        return _as_it_was(letter)
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
