"""`watchbot status`: shows what is in queues, and whether they are paused."""

import json
from typing import Any

import click

from watchbot.queues.ages import with_cloudwatch, with_watchers
from watchbot.queues.named import asked_for, opened
from watchbot.queues.state import QueueState, states
from watchbot.queues.table import table
from watchbot.settings.status import StatusSettings


async def status(settings: StatusSettings, *, as_json: bool = False) -> int:
    """Prints a table, or a JSON object a line; returns 1 if a queue could not be read, else 0.

    Raises `SettingError`, `NoSuchQueues`, and `AwsError` if no client can be opened, or the queues
    of the prefix cannot be listed.
    """
    async with opened(await asked_for(settings), settings.aws) as clients:
        found = await states(clients)
    found, away = with_watchers(
        await with_cloudwatch(found, settings.aws), settings.watcher, settings.watcher_token
    )
    for url, reason in away.items():
        click.echo(f"watchbot: no watcher at {url}: {reason}", err=True)
    for state in found:
        if state.error:
            click.echo(f"watchbot: {state.name}: {state.error}", err=True)
    if as_json:
        for state in found:
            click.echo(json.dumps(_facts(state), ensure_ascii=False))
    else:
        click.echo("".join(f"{line}\n" for line in table(found)), nl=False)
    return int(any(state.error for state in found))


def _facts(state: QueueState) -> dict[str, Any]:
    named = {"queue": state.name, "url": state.url}
    if state.error:
        return {**named, "error": f"{state.error.operation}: {state.error.code}"}
    pause, redrive = state.pause, state.redrive
    return {
        **named,
        **state.messages,
        "oldest_s": state.oldest_s,
        "oldest_from": state.oldest_from,
        "paused": pause and {"reason": pause.reason, "by": pause.by, "at": pause.at},
        "redrive": redrive and {"queue": redrive.target_name, "max_receives": redrive.max_receives},
        "dead_letters": state.dead_letters,
        "dead_letters_of": list(state.sources),
        "unknown": dict(state.unknown),
    }
