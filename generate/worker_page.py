"""Makes docs/reference/worker.md from the code: a worker's input, and the meaning of its end."""

from generate.outcomes import outcomes_table
from watchbot.listen.environment import WORKER_VARIABLES

_START = """\
# What a worker gets, and what its end means

This page is made by `make docs`.

## Variables

A worker has the watcher's variables, except for the names below, which only its message sets.

| variable | what it holds |
|---|---|
"""

_STREAMS = """
Standard input holds the message, of any size; a worker need not read it. Standard output and error
go to the log, line by line. The working directory is the watcher's own. `--no-worker-credentials`
leaves out the variables that hold or name AWS credentials.

With `--batch-size` over 1, or `--warm`, a worker is handed messages in another way: see
[Messages and answers as lines](lines.md).

## Ends

"""

_SIGNALS = """
A worker may have its message rejected, or say when it comes back: see
[Requests of a worker](control.md).

A returned message waits 2^receives seconds, at most `--max-backoff`, and at most until twelve hours
after its receive.

## Signals

SIGTERM tells the worker to end: either it ran for `--max-job-duration`, or the watcher stops and
`--drain-timeout` is over. SIGKILL follows, after `--kill-grace` seconds in the first case and two
seconds in the second. With `--checkpoints`, a run that
[cannot end in the drain](../how-to/spot.md#jobs-that-cannot-end-in-time) gets its SIGTERM
when that begins. Both signals go to the worker's whole process group. The watcher also kills the
processes that the worker started in the background.

## Exit codes of the watcher

| exit | why |
|---|---|
| 0 | a signal stopped the watcher (SIGTERM, SIGINT) |
| 0 | the queue is empty, with `--exit-when-empty` (see `--exit-wait`) |
| 0 | one job is done, with `--writable-filesystem` |
| 1 | AWS has refused for `--give-up-after` seconds, or refuses for good |
| 1 | at the start, AWS did not answer for `--give-up-after` seconds, or 30; nothing was received |
| 2 | an option, a variable or the command is wrong; nothing was received |
| 2 | there are no credentials; nothing was received |

`--exit-wait` counts while no message is in hand. No receive that begins then is longer than what is
left of it, in whole seconds. One that was open before, beside the last worker, is let come back: it
may add up to `--poll-wait`.
"""


def worker_page() -> str:
    """The page."""
    variables = (f"| `{name}` | {what} |\n" for name, what in WORKER_VARIABLES.items())
    return "".join((_START, *variables, _STREAMS, outcomes_table(".."), _SIGNALS))
