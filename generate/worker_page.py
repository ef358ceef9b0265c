"""docs/reference/worker.md: what a worker gets, and what its end means; from the code."""

from generate.outcomes import outcomes_table
from watchbot.listen.environment import WORKER_VARIABLES

_START = """\
# What a worker gets, and what its end means

This page is made by `make docs`.

## Variables

Those of the watcher, without the names below, and these. A message sets no other.

| variable | what it holds |
|---|---|
"""

_STREAMS = """
Standard input is the message, always, whatever its size; a worker that does not read it misses
nothing. Standard output and error go to the log, line by line. The working directory is the
watcher's own. `--no-worker-credentials` leaves the variables that hold or name AWS credentials out.

## Ends

"""

_SIGNALS = """
A message that is tried again waits 2^receives seconds, at most `--max-backoff`, and never beyond
twelve hours from its receive.

## Signals

SIGTERM says that the worker is to end: it ran for `--max-job-duration`, or the watcher leaves and
`--drain-timeout` is over. SIGKILL follows, after `--kill-grace` seconds in the first case and two
seconds in the second. Both go to its whole process group, and what it started in the background
ends with it.

## Exit codes of the watcher

| exit | why |
|---|---|
| 0 | it was told to leave (SIGTERM, SIGINT) |
| 0 | the queue is empty, with `--exit-when-empty` (see `--exit-wait`) |
| 0 | one job is done, with `--writable-filesystem` |
| 1 | AWS has refused for `--give-up-after` seconds, or refuses for good |
| 1 | nobody answers at the start for `--give-up-after` seconds, or 30; nothing was received |
| 2 | an option, a variable or the command cannot be right; nothing was received |
| 2 | there are no credentials; nothing was received |

`--exit-wait` counts while no message is in hand. No receive that begins then is longer than what is
left of it, in whole seconds. One that was open before, beside the last worker, is let come back: it
may add up to `--poll-wait`.
"""


def worker_page() -> str:
    """The page."""
    variables = (f"| `{name}` | {what} |\n" for name, what in WORKER_VARIABLES.items())
    return "".join((_START, *variables, _STREAMS, outcomes_table(), _SIGNALS))
