"""Finds what needs a person: the first thing that the console shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from watchbot.console.fresh import Missing
from watchbot.console.watchers import FailingKind, WatcherView
from watchbot.pages.site import lasted
from watchbot.queues.state import QueueState

BAD, ODD = "bad", "odd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that needs a person.

    `level` is `bad` or `odd`. `link` leads to the details. `open_letters` is the page of a queue
    whose dead letters a button opens. `minutes` are counts of the last hour, for a sparkline.
    """

    level: str
    what: str
    text: str
    link: str | None = None
    open_letters: str | None = None
    since: str | None = None
    minutes: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the first page knows. `keys` are the queues' page keys, by URL.

    `open_letters` counts the letters that are open here, by the URL of their queue: SQS does not
    count them as visible. `stuck_s` tells for how long nothing was taken from a queue's oldest end,
    by URL. `runs` and `tasks` are failed scheduled runs and failed tasks of the last day.
    """

    queues: Sequence[QueueState] | Missing
    keys: Mapping[str, str]
    stuck_s: Mapping[str, float]
    open_letters: Mapping[str, int]
    watchers: Sequence[WatcherView]
    watchers_problem: str | None
    failing: Sequence[FailingKind] | Missing
    runs: Sequence["FailedRun"] | Missing = ()
    tasks: Sequence["FailedTasks"] | Missing = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A scheduled run that did not start, or failed."""

    job: str
    due: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTasks:
    """The tasks of a family that failed in the last day."""

    family: str
    failed: int
    ended: int


def needs(board: Board) -> list[Need]:
    """What needs a person, the worst first."""
    found = [
        *_of_watchers(board),
        *_of_failures(board),
        *_of_queues(board),
        *_of_schedule(board),
        *_of_tasks(board),
    ]
    return sorted(found, key=lambda need: need.level != BAD)


def _of_failures(board: Board) -> Iterator[Need]:
    if isinstance(board.failing, Missing):
        yield _missing("failures", board.failing)
        return
    for kind in board.failing:
        if any(kind.minutes):
            yield Need(
                level=BAD,
                what="failing",
                text=f"{kind.how}: {sum(kind.minutes):,} in the last hour",
                link=f"/failures/{quote(kind.fingerprint, safe='')}",
                since=kind.last,
                minutes=kind.minutes,
            )


def _of_queues(board: Board) -> Iterator[Need]:
    if isinstance(board.queues, Missing):
        yield _missing("queues", board.queues)
        return
    for state in board.queues:
        if state.error:
            yield Need(level=BAD, what="not seen", text=f"{state.name}: {state.error}")
            continue
        opened = board.open_letters.get(state.url, 0)
        if dead := (state.dead_letters or 0) + opened:
            key = board.keys[state.url]
            yield Need(
                level=BAD,
                what="dead letters",
                text=f"{dead:,} of {state.name}",
                link=f"/letters/{quote(key, safe='')}" if opened else "/letters",
                open_letters=None if opened else key,
            )
        if state.pause:
            yield Need(
                level=ODD,
                what="paused",
                text=f"{state.name}: {state.pause.reason or 'no reason given'}",
                link=f"/queues/{quote(board.keys[state.url], safe='')}",
                since=state.pause.at or None,
            )
        if (stuck_s := board.stuck_s.get(state.url)) and not state.pause:
            yield Need(
                level=BAD,
                what="backlog",
                text=f"the oldest message of {state.name} waits for {lasted(state.oldest_s)}, "
                f"and nothing older was taken for {lasted(stuck_s)}",
                link="/#queues",
            )


def _of_watchers(board: Board) -> Iterator[Need]:
    if board.watchers_problem:
        yield Need(level=BAD, what="not seen", text=f"watchers: {board.watchers_problem}")
    for view in board.watchers:
        if view.problem:
            yield Need(
                level=BAD, what="watcher", text=f"{view.url}: {view.problem}", link="/#watchers"
            )
        elif view.summary and view.summary.breaker_open:
            yield Need(
                level=BAD,
                what="breaker",
                text=f"{view.url} receives nothing, because its runs fail in a row",
                link="/failures",
            )


def _of_schedule(board: Board) -> Iterator[Need]:
    if isinstance(board.runs, Missing):
        yield _missing("schedule", board.runs)
        return
    for run in board.runs:
        yield Need(
            level=BAD,
            what="schedule",
            text=f"{run.job}: {run.why}",
            link=f"/schedule?show=failed&job={quote(run.job, safe='')}",
            since=run.due,
        )


def _of_tasks(board: Board) -> Iterator[Need]:
    if isinstance(board.tasks, Missing):
        yield _missing("tasks", board.tasks)
        return
    for tasks in board.tasks:
        yield Need(
            level=BAD,
            what="tasks",
            text=f"{tasks.failed:,} of {tasks.ended:,} tasks of {tasks.family} failed in a day",
            link="/tasks",
        )


def _missing(what: str, missing: Missing) -> Need:
    return Need(level=ODD, what="not seen", text=f"{what}: {missing.reason}")
