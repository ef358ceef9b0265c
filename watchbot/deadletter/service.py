"""`watchbot dead-letter`: from what was asked to the verb that does it."""

import functools
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence

import click

from watchbot import lifecycle
from watchbot.aws import open_client
from watchbot.deadletter import act, look
from watchbot.deadletter.desk import Desk, Request
from watchbot.deadletter.place import Place, chosen, find
from watchbot.deadletter.selection import Selection, selected
from watchbot.display import display
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.queue import SqsQueue

INTERRUPTED = 130

Verb = Callable[[Desk], Awaitable[int]]

VERBS: dict[str, Verb] = {
    "list": look.list_all,
    "show": look.show,
    "export": look.export,
    "replay": act.replay,
    "delete": act.delete,
    "purge": act.purge,
    "summary": look.summary,
    "logs": look.show_logs,
}
_ONE_WORD = {"export": "a FILE", "logs": "an ID"}
_DESTROYS = {"delete": "Delete what was chosen", "purge": "Delete ALL dead messages"}


def dead_letter(settings: DeadLetterSettings, request: Request) -> int:
    """Does what was asked; the exit code.

    Raises `UsageError` before anything is touched, `AwsError` for what AWS refuses.
    """
    if request.verb is None:
        raise UsageError("say what to do: " + ", ".join(VERBS))
    ids = () if request.verb == "export" else request.words
    selection = selected(settings, ids)
    _check(request.verb, request.words, selection)
    if request.verb in _DESTROYS and not request.dry_run and not request.yes:
        _confirm(request.verb, settings)
    # What a lease has to say is told here, in the words of a tool.
    logging.getLogger("watchbot").addHandler(logging.NullHandler())
    return lifecycle.run(functools.partial(_run, settings, request, selection))


def _check(verb: str, words: Sequence[str], selection: Selection) -> None:
    if verb in _ONE_WORD and len(words) != 1:
        raise UsageError(f"{verb} takes {_ONE_WORD[verb]}, and no more")
    if verb == "show" and not words:
        raise UsageError("show takes the ID of a message, as `list` prints it")
    if verb == "delete" and selection.every:
        raise UsageError("delete takes IDs, or an option that chooses; purge deletes all")
    if verb == "purge" and not selection.every:
        raise UsageError("purge deletes all, and chooses none; delete takes IDs and options")


def _confirm(verb: str, settings: DeadLetterSettings) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{verb} asks before, and nobody is there to answer: add --yes")
    of = settings.stack_name or settings.dead_letter_queue_url or settings.queue_url
    click.confirm(f"{_DESTROYS[verb]} of {of}?", abort=True, err=True)


async def _run(
    settings: DeadLetterSettings, request: Request, selection: Selection, stop: Stop
) -> int:
    place = chosen(await find(settings))
    return await work(settings, request, selection, place, stop)


async def work(
    settings: DeadLetterSettings,
    request: Request,
    selection: Selection,
    place: Place,
    stop: Stop,
) -> int:
    """Does what was asked at one place; the exit code."""
    assert request.verb
    account = settings.account.near(place.dead_letter_queue_url)
    async with open_client("sqs", account, wait_s=1) as sqs:
        facts = await SqsQueue(sqs, place.dead_letter_queue_url).facts()
        total = int(facts.get("ApproximateNumberOfMessages", 0))
        with display(sys.stderr, progress=sys.stderr.isatty(), total=total) as shown:
            desk = Desk(
                request=request,
                settings=settings,
                selection=selection,
                place=place,
                sqs=sqs,
                stop=stop,
                shown=shown,
            )
            code = await VERBS[request.verb](desk)
    return INTERRUPTED if stop.draining.is_set() else code
