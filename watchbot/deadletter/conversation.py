"""The conversation at a terminal: asks for a queue, and what to do with its dead letters."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from watchbot.deadletter import act, letter
from watchbot.deadletter.dead_queue import DeadLetterQueue
from watchbot.deadletter.desk import LetterDesk, LetterRequest, open_desk
from watchbot.deadletter.prompt import Choice, choose, confirm
from watchbot.deadletter.triage import triage
from watchbot.lifecycle import Stop

TRIAGE = Choice(text="Triage them one by one", key="t")
PRINT = Choice(text="Print all", key="p")
RETURN = Choice(text="Return all to the queue", key="r")
PURGE = Choice(text="Purge: delete all", key="d")
LEAVE = Choice(text="Leave", key="l")

# Each choice with its function, and the verb of the command line, if there is one.
Actions = dict[Choice, tuple[str | None, Callable[[LetterDesk], Awaitable[int]]]]


async def converse(
    request: LetterRequest, dead_queues: Sequence[DeadLetterQueue], stop: Stop
) -> int:
    """Asks for actions and runs them until told to leave; returns the last exit code."""
    dead_queue = await _choose_dead_queue(dead_queues, stop)
    code = 0
    while dead_queue is not None:
        actions = _actions(dead_queue)
        async with open_desk(request, dead_queue, stop) as desk:
            question = f"{dead_queue.name} has about {desk.total}. What to do?"
        choice = await choose(question, [*actions, LEAVE], stop)
        if choice not in actions:
            break
        verb, act_on = actions[choice]
        if choice == PURGE and not await confirm("Delete ALL of them?", stop):
            continue
        async with open_desk(replace(request, verb=verb), dead_queue, stop) as desk:
            code = await act_on(desk)
    return code


async def _choose_dead_queue(
    dead_queues: Sequence[DeadLetterQueue], stop: Stop
) -> DeadLetterQueue | None:
    if len(dead_queues) == 1:
        return dead_queues[0]
    named = {
        Choice(text=f"{each.name} ({each.dead_letter_queue_url})"): each for each in dead_queues
    }
    choice = await choose("Which one?", list(named), stop)
    return named[choice] if choice else None


def _actions(dead_queue: DeadLetterQueue) -> Actions:
    actions: Actions = {TRIAGE: (None, triage), PRINT: (None, _print_all)}
    if dead_queue.queue_url:
        actions[RETURN] = ("replay", act.replay)
    return {**actions, PURGE: ("purge", _purge)}


async def _print_all(desk: LetterDesk) -> int:
    async with desk.walk() as walk:
        async for messages in desk.meant(walk):
            for message in messages:
                sys.stdout.write(f"{letter.page(desk.everything(message))}\n\n")
                sys.stdout.flush()
    return 0


async def _purge(desk: LetterDesk) -> int:
    """Deletes all chosen messages; purges the queue if options chose none."""
    return await (act.purge if desk.request.whole else act.delete)(desk)
