"""Command lines run inside the test's own process: the start of one costs a second."""

import contextlib
import io
import signal
from dataclasses import dataclass

from watchbot.cli import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command line ended, and what it printed."""

    code: int
    out: str
    err: str


def run(*words: str) -> Done:
    """Runs a `watchbot` command line to its end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT)}
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = main(words)
    for number, handler in before.items():  # a service that has ended ignores them
        signal.signal(number, handler)
    return Done(code=code, out=out.getvalue(), err=err.getvalue())
