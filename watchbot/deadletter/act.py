"""The verbs that change queues: replay, delete, purge."""

import sys
from dataclasses import asdict

from watchbot.aws import open_client
from watchbot.deadletter import letter, look
from watchbot.deadletter.desk import LetterDesk
from watchbot.deadletter.move import Move
from watchbot.deadletter.replay import Replay, Tally
from watchbot.errors import AwsError, SettingError, WatchbotError
from watchbot.settings.base import describe
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.destination import open_destination
from watchbot.sqs.queue import SqsQueue


async def replay(desk: LetterDesk) -> int:
    """Replays the chosen messages to the queue they came from; 1 if some were refused."""
    queue_url = queue_url_of(desk)
    if desk.request.dry_run:
        return await _only_say(desk, "replayed")
    moved = await _move(desk, queue_url) if desk.request.whole and not desk.queue.fifo else None
    if moved is None:
        return await _replay_each(desk, queue_url)
    return _conclude(desk, Tally(replayed=moved), kept=0)


async def delete(desk: LetterDesk) -> int:
    """Deletes the chosen messages; returns the exit code."""
    if desk.request.dry_run:
        return await _only_say(desk, "deleted")
    chosen = 0
    async with desk.walk() as walk:
        async for messages in desk.meant(walk):
            chosen += len(messages)
            await walk.delete(messages)
        kept, undeleted = walk.held, walk.undeleted
    deleted = chosen - undeleted
    if undeleted:
        desk.shown.say(f"{undeleted} could not be deleted: run this again")
    _say_result(
        desk, {"deleted": deleted, "kept": kept}, f"{deleted} deleted, {kept} kept", met=chosen
    )
    return desk.concluded(1 if undeleted else 0)


async def purge(desk: LetterDesk) -> int:
    """Purges the dead-letter queue; returns the exit code."""
    facts = await desk.queue.facts()
    states = ("", "NotVisible", "Delayed")
    about = sum(int(facts.get(f"ApproximateNumberOfMessages{state}", 0)) for state in states)
    if desk.request.dry_run:
        _say_result(desk, {"would_purge": about}, f"about {about} would be purged", met=about)
        return 0
    try:
        await desk.sqs.call("purge_queue", QueueUrl=desk.queue.url)
    except AwsError as error:
        if "PurgeQueueInProgress" not in error.code:
            raise
        text = "SQS allows one purge a minute, and this queue was purged less than a minute ago"
        raise WatchbotError(f"{text}; run it again later") from error
    _say_result(desk, {"purged": about}, f"about {about} purged", met=about)
    return 0


def queue_url_of(desk: LetterDesk) -> str:
    """The queue that the messages came from. Raises `SettingError` when unknown or unfit."""
    url, dead_url = desk.dead_queue.queue_url, desk.dead_queue.dead_letter_queue_url
    if url is None:
        raise SettingError(describe("queue_url"), "is not known; name the queue to send them to")
    if url == dead_url:
        raise SettingError(describe("queue_url"), "is the dead-letter queue itself")
    if is_fifo(url) != is_fifo(dead_url):
        raise SettingError(describe("queue_url"), "one queue is FIFO, and the other is not")
    return url


async def _move(desk: LetterDesk, queue_url: str) -> int | None:
    """Lets SQS move all messages; returns their number, or None where the server cannot."""
    async with open_client("sqs", desk.settings.aws.near(queue_url)) as sqs:
        source = (await desk.queue.facts())["QueueArn"]
        destination = (await SqsQueue(sqs, queue_url).facts())["QueueArn"]
        move = Move(sqs, source, destination)
        if refusal := await move.start():
            desk.shown.say(f"SQS does not move them by itself ({refusal.code}): sending each")
            return None
        return await move.finish(desk.stop, desk.shown.advance)


async def _replay_each(desk: LetterDesk, queue_url: str) -> int:
    async with open_destination(queue_url, desk.settings.aws) as destination:
        async with desk.walk() as walk:
            work = Replay(walk, destination, desk.shown.say)
            try:
                async for messages in desk.meant(walk):
                    await work.replay(messages)
            except* AwsError:
                desk.shown.say(f"{work.tally.replayed} replayed; run this again for the rest")
                raise
            kept = walk.held
    return _conclude(desk, work.tally, kept)


async def _only_say(desk: LetterDesk, participle: str) -> int:
    if await look.listed(desk):
        desk.shown.say(f"these would be {participle}; nothing was")
    return desk.concluded()


def _conclude(desk: LetterDesk, tally: Tally, kept: int) -> int:
    if tally.doubled:
        desk.shown.say(
            f"{tally.doubled} were sent, but could not be deleted here: both queues have them"
        )
    facts: dict[str, object] = {
        "replayed": tally.replayed,
        "kept": kept,
        "doubled": tally.doubled,
        "refused": [{"id": each, **asdict(why)} for each, why in tally.refused],
    }
    met = tally.replayed + len(tally.refused)
    _say_result(desk, facts, f"{tally.replayed} replayed, {kept} kept", met=met)
    return desk.concluded(1 if tally.refused or tally.doubled else 0)


def _say_result(desk: LetterDesk, facts: dict[str, object], text: str, *, met: int) -> None:
    """Prints the result; says that no message was found if none was `met`."""
    if not (met or desk.request.as_json):
        desk.say_none()
        return
    sys.stdout.write(f"{letter.as_json(facts) if desk.request.as_json else text}\n")
    sys.stdout.flush()
