"""Shows the states of queues as lines of text, for a terminal of 100 columns."""

import textwrap
from collections.abc import Iterator, Sequence

from watchbot.queues.state import QueueState

COLUMNS = 100
NAME_COLUMNS = 34  # a longer name has a line of its own
HEADINGS = ("QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "OLDEST", "DEAD", "DEAD-LETTER QUEUE")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_INDENT = "    "


def table(states: Sequence[QueueState]) -> list[str]:
    """The lines: headings, one for each queue that could be read, and notes below it."""
    readable = [state for state in states if state.error is None]
    if not readable:
        return []
    rows = [HEADINGS, *map(_cells, readable)]
    widths = [
        max(len(row[column]) for row in rows if column or len(row[0]) <= NAME_COLUMNS)
        for column in range(len(HEADINGS) - 1)
    ]
    lines = list(_lines(HEADINGS, widths))
    for state, row in zip(readable, rows[1:], strict=True):
        lines += _lines(row, widths)
        lines += _notes(state)
    return lines


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    name, *figures, last = row
    if len(name) > NAME_COLUMNS:
        yield name
        name = ""
    padded = [figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=True)]
    line = "  ".join([name.ljust(widths[0]), *padded])
    if len(line) + len(last) + 2 <= COLUMNS:
        yield f"{line}  {last}"
        return
    yield line
    yield from _wrapped(f"dead-letter queue: {last}")


def _cells(state: QueueState) -> tuple[str, ...]:
    counted = (f"{count:,}" for count in state.messages.values())
    dead = "-" if state.redrive is None else "?"
    return (
        state.name,
        *counted,
        _age(state),
        dead if state.dead_letters is None else f"{state.dead_letters:,}",
        _redrive(state),
    )


def _redrive(state: QueueState) -> str:
    if state.redrive:
        times = f"after {state.redrive.max_receives:,}"
        return f"{state.redrive.target_name}, {times}"
    return f"is that of {', '.join(state.sources)}" if state.sources else "none"


def _age(state: QueueState) -> str:
    if state.oldest_s is None:
        return "?" if "oldest" in state.unknown else "-"
    for seconds, unit in _UNITS:
        if state.oldest_s >= seconds:
            return f"{state.oldest_s / seconds:.0f} {unit}"
    return f"{state.oldest_s:.0f} s"


def _notes(state: QueueState) -> Iterator[str]:
    if state.pause:
        yield from _wrapped(f"PAUSED: {state.pause}")
    if state.unknown:
        what = "; ".join(f"{name} ({why})" for name, why in state.unknown.items())
        yield from _wrapped(f"not known: {what}")


def _wrapped(text: str) -> list[str]:
    # A name that is broken at its hyphens can be neither read nor copied.
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT * 2,
        break_on_hyphens=False,
    )
