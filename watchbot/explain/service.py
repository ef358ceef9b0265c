"""`watchbot explain`: asks all sources that are named, and prints what is known of a message."""

import sys

from watchbot.deadletter.dead_queue import DeadLetterQueue, chosen, find
from watchbot.deadletter.letter import origin
from watchbot.deadletter.lookup import look_up
from watchbot.errors import DatabaseError, SettingError, UsageError
from watchbot.explain.account import Known, as_json, page
from watchbot.explain.line import Event
from watchbot.explain.sources import from_cloudwatch, from_file, tasks_of
from watchbot.explain.tries import Try, tries_of
from watchbot.explain.whereabouts import Letter
from watchbot.lifecycle import Stop
from watchbot.settings.base import describe
from watchbot.settings.explain import ExplainSettings

INTERRUPTED = 130


async def explain(
    settings: ExplainSettings, message_id: str, stop: Stop, *, json_form: bool
) -> int:
    """Prints what is known of the message; returns 1 if that is nothing.

    Raises `UsageError` when no source is named, and `AwsError` when a log group cannot be read.
    """
    asking = _Asking(settings, message_id)
    known = await asking.all(stop)
    sys.stdout.write(as_json(known) if json_form else page(known))
    if stop.draining.is_set():
        return INTERRUPTED
    return 0 if known.tries or known.letter else 1


class _Asking:
    """Asks one source after the other. `_id` is the id in the logs, which a letter may tell."""

    def __init__(self, settings: ExplainSettings, message_id: str) -> None:
        self._settings, self._id = settings, message_id
        self._unasked: list[str] = []
        self._log_group = settings.log_group

    async def all(self, stop: Stop) -> Known:
        letter = await self._letter(stop) if self._settings.names_letters else None
        if letter is not None:
            self._id = origin(letter.message)
        if not (self._settings.log or self._log_group or self._settings.names_letters):
            names = ", ".join(map(describe, ("log", "log_group", *self._settings.rivals)))
            raise UsageError(f"no source is named; name a log or a queue: {names}")
        tries = tries_of(await self._events())
        return Known(
            message_id=self._id,
            tries=tries,
            letter=letter,
            tasks=await self._tasks(tries),
            unasked=self._unasked,
        )

    async def _letter(self, stop: Stop) -> Letter | None:
        settings = self._settings.of_letters()
        try:
            queue: DeadLetterQueue = chosen(await find(settings))
        except SettingError as error:  # a queue without dead letters is no reason to say nothing
            self._unasked.append(f"the dead letters: {error}")
            return None
        self._log_group = self._log_group or queue.log_group
        found = await look_up(queue, settings, self._id, stop)
        return None if found is None else Letter(queue=queue.name, message=found)

    async def _events(self) -> list[Event]:
        events = [event for path in self._settings.log for event in from_file(path, self._id)]
        if self._log_group:
            url = self._settings.queue_url or self._settings.dead_letter_queue_url or ""
            aws = self._settings.aws.in_region_of(url)
            since_s = self._settings.since
            events += [
                event async for event in from_cloudwatch(aws, self._log_group, self._id, since_s)
            ]
        return events

    async def _tasks(self, tries: list[Try]) -> dict[str, str]:
        record = self._settings.of_record()
        if record is None:
            return {}
        try:
            return dict(await tasks_of(record, {each.source for each in tries}))
        except DatabaseError as error:
            self._unasked.append(f"the record of tasks: {error}")
            return {}
