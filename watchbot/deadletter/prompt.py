"""Questions at a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from watchbot.errors import MissingExtra
from watchbot.lifecycle import Stop, until

try:
    import questionary
except ImportError as missing:
    raise MissingExtra("tools", "a conversation") from missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An answer to choose. The key `key` selects it."""

    text: str
    key: str | None = None


async def choose(question: str, choices: Sequence[Choice], stop: Stop) -> Choice | None:
    """The user's choice; None after a stop."""
    by_key = all(choice.key for choice in choices)
    listed = [
        questionary.Choice(choice.text, value=choice, shortcut_key=choice.key) for choice in choices
    ]
    chosen: Choice | None = await _answer(
        questionary.select(question, listed, use_shortcuts=by_key, use_jk_keys=not by_key), stop
    )
    return chosen


async def confirm(question: str, stop: Stop) -> bool:
    """Whether the user answered yes."""
    return bool(await _answer(questionary.confirm(question, default=False), stop))


async def _answer(question: questionary.Question, stop: Stop) -> Any:
    answer = None
    async with until(stop.draining):
        try:
            # We handle signals ourselves; at a question, Ctrl-C is an ordinary key.
            answer = await question.application.run_async(handle_sigint=False)
        except (KeyboardInterrupt, EOFError):
            stop.ask()
    return answer
