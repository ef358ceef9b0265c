"""Triage: asks what to do with each dead letter in turn."""

import sys
from contextlib import AsyncExitStack

from watchbot.deadletter import act, letter, look
from watchbot.deadletter.desk import LetterDesk
from watchbot.deadletter.prompt import Choice, choose, confirm
from watchbot.deadletter.replay import Replay
from watchbot.deadletter.walk import Walk
from watchbot.errors import AwsError, SettingError
from watchbot.sqs.destination import open_destination
from watchbot.sqs.message import Message

LOGS = Choice(text="View its recent logs", key="v")
RETURN = Choice(text="Return it to the queue", key="r")
KEEP = Choice(text="Keep it here", key="k")
DELETE = Choice(text="Delete it", key="d")
STOP = Choice(text="Stop triage", key="s")


async def triage(desk: LetterDesk) -> int:
    """Asks about each chosen message; returns the exit code.

    Keeps every message that the user neither returns nor deletes.
    """
    async with AsyncExitStack() as opened:
        destination = None
        if desk.dead_queue.queue_url is not None:
            aws = desk.settings.aws
            destination = await opened.enter_async_context(
                open_destination(act.queue_url_of(desk), aws)
            )
        walk = await opened.enter_async_context(desk.walk())
        replay = Replay(walk, destination, desk.shown.say) if destination else None
        await _Triage(desk, walk, replay).run()
    return 1 if replay and (replay.tally.refused or replay.tally.doubled) else 0


class _Triage:
    def __init__(self, desk: LetterDesk, walk: Walk, replay: Replay | None) -> None:
        self._desk, self._walk, self._replay = desk, walk, replay
        logs = [LOGS] if desk.dead_queue.log_group else []
        replays = [RETURN] if replay else []
        self._choices = [*logs, *replays, KEEP, DELETE, STOP]

    async def run(self) -> None:
        asked = 0
        async for messages in self._desk.meant(self._walk):
            for message in messages:
                asked += 1
                if await self._ask_about(message) in (STOP, None):
                    return
        self._desk.shown.say("there are no more" if asked else "there are none")

    async def _ask_about(self, message: Message) -> Choice | None:
        sys.stdout.write(f"\n{letter.page(self._desk.everything(message))}\n\n")
        sys.stdout.flush()
        while True:
            choice = await choose("What to do with it?", self._choices, self._desk.stop)
            if choice is LOGS:
                await self._show_logs(message)
            elif choice is not DELETE or await confirm("Delete it for good?", self._desk.stop):
                await self._do(choice, message)
                return choice

    async def _do(self, choice: Choice | None, message: Message) -> None:
        if choice is RETURN and self._replay:
            await self._replay.replay([message])
        elif choice is DELETE:
            await self._walk.delete([message])

    async def _show_logs(self, message: Message) -> None:
        group, message_id = look.log_group_of(self._desk), letter.origin(message)
        try:
            text = await look.logs_of(self._desk, group, message_id)
        except (AwsError, SettingError) as error:  # who cannot see the logs can still triage
            self._desk.shown.say(str(error))
        else:
            sys.stdout.write(letter.visible(text, keep="\n\t") or f"no line about {message_id}\n")
            sys.stdout.flush()
