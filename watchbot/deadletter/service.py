"""`watchbot dead-letter`: checks the request and runs its verb."""

import functools
import logging
import sys
from collections.abc import Awaitable, Callable

import click

from watchbot import lifecycle
from watchbot.deadletter import act, look
from watchbot.deadletter.dead_queue import chosen, find
from watchbot.deadletter.desk import LetterDesk, LetterRequest, open_desk
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop

INTERRUPTED = 130

Verb = Callable[[LetterDesk], Awaitable[int]]

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


def dead_letter(request: LetterRequest) -> int:
    """Runs a request; returns the exit code.

    Raises `UsageError` before it changes anything, and `AwsError`.
    """
    _check(request)
    if request.verb in _DESTROYS and not (request.dry_run or request.yes):
        _confirm(request)
    # This tool prints its own text for a lease's warnings.
    logging.getLogger("watchbot").addHandler(logging.NullHandler())
    return lifecycle.run(functools.partial(_run, request))


def _check(request: LetterRequest) -> None:
    verb, words = request.verb, request.words
    if verb is None:
        _check_conversation(request)
    if verb in _ONE_WORD and len(words) != 1:
        raise UsageError(f"{verb} takes {_ONE_WORD[verb]}, and no more")
    if verb == "show" and not words:
        raise UsageError("show takes the ID of a message, as `list` prints it")
    if verb == "delete" and request.selection.every:
        raise UsageError("delete takes IDs, or an option that chooses; purge deletes all")
    if verb == "purge" and not request.whole:
        raise UsageError("purge deletes all, and chooses none; delete takes IDs and options")


def _check_conversation(request: LetterRequest) -> None:
    verbs = ", ".join(VERBS)
    if request.as_json or request.yes or request.dry_run:
        raise UsageError(f"--json, --yes and --dry-run want a verb: {verbs}")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"this is no terminal to ask questions at; say what to do: {verbs}")


def _confirm(request: LetterRequest) -> None:
    verb, settings = str(request.verb), request.settings
    if not sys.stdin.isatty():
        raise UsageError(f"{verb} asks before, and nobody is there to answer: add --yes")
    of = settings.stack_name or settings.dead_letter_queue_url or settings.queue_url
    click.confirm(f"{_DESTROYS[verb]} of {of}?", abort=True, err=True)


async def _run(request: LetterRequest, stop: Stop) -> int:
    if request.verb is None:
        from watchbot.deadletter.conversation import converse  # needs the extra

        code = await converse(request, await find(request.settings), stop)
    else:
        dead_queue = chosen(await find(request.settings))
        async with open_desk(request, dead_queue, stop) as desk:
            code = await VERBS[request.verb](desk)
    return INTERRUPTED if stop.draining.is_set() else code
