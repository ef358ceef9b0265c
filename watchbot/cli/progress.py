"""Defines `watchbot progress`, also installed as `watchbot-progress`."""

import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from watchbot.cli.options import options
from watchbot.errors import UsageError
from watchbot.settings.progress import ProgressSettings

if TYPE_CHECKING:
    from watchbot.progress import Progress


@click.group
def progress() -> None:
    """Track the parts of a map-reduce job, until all are done.

    JOB is an id of your choice. Its parts have numbers: from 1, or from 0 if Python's `create_job`
    began it.
    """


def _verb(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a command of the group. The command gets a `Progress`, and its result is printed."""

    def decorate(command: Callable[..., Any]) -> click.Command:
        @functools.wraps(command)
        def run(settings: ProgressSettings, **given: Any) -> int:
            from watchbot.progress import Progress

            answer = command(Progress(**settings.model_dump()), **given)
            if answer is not None:
                _print(answer)
            return 0

        decorated = options(ProgressSettings, without=["work_topic", "queue_url"])(run)
        return progress.command(name)(decorated)

    return decorate


_job = click.argument("job")


@_verb("set-total")
@click.option("-t", "--total", type=int, required=True, metavar="N", help="Give the job N parts.")
@click.option("--ttl", type=float, metavar="S", help="Forget the job after this long.")
@_job
def set_total(jobs: "Progress", job: str, total: int, ttl: float | None) -> None:
    """Begin JOB, with parts 1 to N.

    Begins JOB again if it is over: all its parts are done, or it has failed. Does not change a JOB
    that is under way.
    """
    jobs.set_total(job, total, ttl_s=ttl)


@_verb("complete-part")
@click.option(
    "-p", "--part", type=int, required=True, metavar="N", help="Name the part by its number."
)
@_job
def complete_part(jobs: "Progress", job: str, part: int) -> bool:
    """Complete a part of JOB.

    Prints true if all parts are done and no earlier call printed true; else false.
    """
    return jobs.complete_part(job, part)


@_verb("status")
@click.option("-p", "--part", type=int, metavar="N", help="Also print whether this part is done.")
@_job
def status(jobs: "Progress", job: str, part: int | None) -> Any:
    """Print the progress of JOB as JSON.

    progress is rounded down: 1 means that all parts are done.
    """
    return jobs.status(job, part)


@_verb("fail-job")
@click.option("-r", "--reason", required=True, metavar="TEXT", help="Say why it failed.")
@_job
def fail_job(jobs: "Progress", job: str, reason: str) -> None:
    """Mark JOB as failed, for good."""
    jobs.fail_job(job, reason)


@_verb("set-metadata")
@click.option("-m", "--metadata", required=True, metavar="JSON", help="Keep this with the job.")
@_job
def set_metadata(jobs: "Progress", job: str, metadata: str) -> None:
    """Store JSON with JOB; status shows it."""
    try:
        value = json.loads(metadata)
    except (ValueError, RecursionError) as fault:
        raise UsageError(f"--metadata: is not JSON ({fault})") from fault
    jobs.set_metadata(job, value)


@_verb("reduce-sent")
@_job
def reduce_sent(jobs: "Progress", job: str) -> None:
    """Note that the reduce message of JOB was sent."""
    jobs.reduce_sent(job)


@_verb("info")
@_job
def info(jobs: "Progress", job: str) -> Any:
    """Print the progress of JOB, with the numbers of its parts, as JSON."""
    return jobs.info(job)


@_verb("pending")
@click.option("--array", is_flag=True, help="Print one JSON array.")
@_job
def pending(jobs: "Progress", job: str, array: bool) -> Any:
    """List the parts of JOB that are not done."""
    parts = jobs.pending(job)
    if array:
        return parts
    click.echo("".join(f"{part}\n" for part in parts), nl=False)
    return None


@_verb("ls")
@click.option("--hide-completed", is_flag=True, help="Leave out jobs whose parts are all done.")
def ls(jobs: "Progress", hide_completed: bool) -> None:
    """List all jobs, a JSON object a line, in the form of info."""
    for facts in jobs.jobs():
        if facts["remaining"] or not hide_completed:
            _print(facts)


def _print(answer: Any) -> None:
    # Without spaces, as the earlier watchbot-progress printed it.
    click.echo(json.dumps(answer, separators=(",", ":")))
