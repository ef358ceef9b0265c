"""Shows watchers as a table on a terminal, and as lines of text elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit

import click

from watchbot.errors import MissingExtra
from watchbot.top.reading import ShownFailure, Summary

HEADINGS = (
    "watcher", "waiting", "hidden", "oldest", "busy", "warm", "per second", "p50", "p95", "lost",
    "breaker",
)  # fmt: skip

Board = Mapping[str, Summary | str]  # by URL; a text is the reason for having no summary


class Screen(Protocol):
    """Shows boards."""

    def show(self, board: Board) -> None:
        """Shows a board in place of the last one."""


class Plain:
    """Prints a line for each watcher, each of its queues, its progress, and each failure."""

    def show(self, board: Board) -> None:
        """Prints the board below the last one."""
        for url, said in board.items():
            if isinstance(said, str):
                click.echo(f"{url}  {said}")
                continue
            click.echo("  ".join([url, *_named(_cells(said))]))
            for name, queue in said.queues.items():
                click.echo("  ".join([url, f"queue {_printable(name)}", *_named(_cells(queue))]))
            for line in _lines(said):
                click.echo(f"{url}  {line}")


@contextmanager
def live() -> Iterator[Screen]:
    """A live table on the terminal while open. Raises `MissingExtra` without its library."""
    try:
        from rich.console import Group
        from rich.live import Live
        from rich.table import Column, Table
        from rich.text import Text
    except ImportError as error:
        raise MissingExtra("tools", "watchbot top on a terminal") from error

    class OnTerminal:
        def show(self, board: Board) -> None:
            # Fold long names, because two watchers' names may differ only at the end.
            named = Column("watcher", overflow="fold")
            title = "watchbot top (Ctrl-C leaves)"
            table = Table(named, *HEADINGS[1:], title=title, title_justify="left")
            details = Table(replace(named), "progress and last failures")
            for name, said in zip(_names(board), board.values(), strict=True):
                if isinstance(said, str):
                    table.add_row(Text(name), Text(said, style="red"))
                    continue
                table.add_row(Text(name), *map(Text, _cells(said)))
                for queue, of_queue in said.queues.items():
                    table.add_row(Text(f"  {_printable(queue)}"), *map(Text, _cells(of_queue)))
                for line in _lines(said):
                    details.add_row(Text(name), Text(line))
            view.update(Group(table, details) if details.row_count else table, refresh=True)

    with Live(auto_refresh=False) as view:
        yield OnTerminal()


def _names(board: Board) -> list[str]:
    """The watchers' hosts and ports if these differ; else their whole URLs."""
    hosts = [urlsplit(url).netloc for url in board]
    return hosts if all(hosts) and len(set(hosts)) == len(hosts) else list(board)


def _cells(said: Summary) -> list[str]:
    rates = [f"{name}={rate:.2f}" for name, rate in said.rates.items() if rate]
    return [
        f"{said.visible:.0f}",
        f"{said.hidden:.0f}",
        _duration(said.oldest_s),
        f"{said.busy:.0f}/{said.limit:.0f}" if said.limit else f"{said.in_hand:.0f}",
        _warm(said),
        ",".join(rates) or "0",
        _duration(said.p50_s),
        _duration(said.p95_s),
        f"{said.leases_lost:.0f}",
        _state(said),
    ]


def _named(cells: list[str]) -> list[str]:
    return [f"{name} {text}" for name, text in zip(HEADINGS[1:], cells, strict=True) if text]


def _state(said: Summary) -> str:
    if said.breaker_open:
        return "OPEN"
    if said.paused and not said.queues:
        return "PAUSED"
    return "closed" if said.limit else ""  # a queue has no breaker of its own


def _warm(said: Summary) -> str:
    if not said.warm and not said.restarts:
        return "-"
    return f"{said.warm:.0f}" + (f", {said.restarts:.0f} replaced" if said.restarts else "")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.3g}s" if seconds < 100 else f"{seconds / 60:.0f}min"


def _lines(said: Summary) -> Iterator[str]:
    """The lines below a watcher's figures."""
    for message_id, fraction in said.progress.items():
        yield f"progress {_printable(message_id)}: {fraction:.0%}"
    yield from map(_failure, said.failures)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _failure(failure: ShownFailure) -> str:
    how = _printable(failure.how)
    times = f"{failure.count} times" if failure.count > 1 else "once"
    return f"failure {failure.fingerprint}: {how}; {times}, last {failure.last}"
