"""Shows problems and progress on standard error while a tool sends or moves messages."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

REFRESH_S = 0.1
_NAME = "watchbot: "
_CLEAR_LINE = "\r\x1b[K"


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """Shows things: `say` prints a line; `advance` counts one message."""

    say: Callable[[str], None]
    advance: Callable[[int], None]


@contextmanager
def display(
    err: TextIO, *, progress: bool, total: int | None, every: int | None = None
) -> Iterator[Display]:
    """Opens a display on `err`.

    With `progress` it shows a bar if `rich` is installed, else a count. Without `progress` it
    prints a line after each `every` messages.
    """
    if not progress:
        yield _plain(err, total, every)
        return
    try:
        import rich  # noqa: F401 - checks that it is installed
    except ImportError:
        with _counter(err) as shown:
            yield shown
    else:
        with _bar(err, total) as shown:
            yield shown


def _plain(err: TextIO, total: int | None, every: int | None) -> Display:
    count = 0

    def say(line: str) -> None:
        _write(err, f"{_NAME}{line}\n")

    def advance(amount: int) -> None:
        nonlocal count
        count += 1
        if every and count % every == 0:
            say(f"{count:,} of about {total:,} messages so far" if total else f"{count:,} messages")

    return Display(say=say, advance=advance)


@contextmanager
def _counter(err: TextIO) -> Iterator[Display]:
    count, shown_at = 0, 0.0

    def say(line: str) -> None:
        _write(err, f"{_CLEAR_LINE}{_NAME}{line}\n")

    def advance(amount: int) -> None:
        nonlocal count, shown_at
        count += 1
        if time.monotonic() - shown_at >= REFRESH_S:
            shown_at = time.monotonic()
            _write(err, f"{_CLEAR_LINE}{count:,} messages")

    try:
        yield Display(say=say, advance=advance)
    finally:
        _write(err, _CLEAR_LINE)


@contextmanager
def _bar(err: TextIO, total: int | None) -> Iterator[Display]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.fields[count]:,} messages"), TimeElapsedColumn())
    bar = Progress(
        *columns,
        console=Console(file=err),
        transient=True,
        redirect_stdout=False,  # standard output is data: the ids of messages
        redirect_stderr=False,
    )
    task = bar.add_task("", total=total, count=0)

    def say(line: str) -> None:
        bar.console.print(_NAME + line, markup=False, highlight=False, soft_wrap=True)

    def advance(amount: int) -> None:
        count = bar.tasks[0].fields["count"] + 1
        bar.update(task, advance=amount, count=count)

    with bar:
        yield Display(say=say, advance=advance)


def _write(err: TextIO, text: str) -> None:
    err.write(text)
    err.flush()
