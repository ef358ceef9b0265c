"""Logs two lines for each message: its receive, and the end of its run.

The second line holds the result twice. The metric filters of `watchbot template` read
`duration_s`, `response_s` and `receives`, so these are last. The metric filters of ecs-watchbot's
stacks read `code`, `signal`, and in milliseconds `duration` and `response_duration`. ecs-watchbot
defines these names and units in lib/worker.js and lib/template.js.
"""

import logging

from watchbot.listen.report import Report
from watchbot.listen.usage import Usage
from watchbot.outcome import FAILURE, Fate
from watchbot.sqs.message import Message, about
from watchbot.world import REAL, World

log = logging.getLogger(__name__)


def log_start(message: Message, *, bodies: bool) -> None:
    """Logs that a message was received; with its body if `bodies`."""
    facts: dict[str, object] = {**about(message), "receives": message.receives}
    log.info("received", extra={**facts, "body": message.body} if bodies else facts)


class Lines:
    """An observer that logs how each run ended, and what becomes of its message."""

    def __init__(self, world: World = REAL) -> None:
        self._wall = world.wall

    def observe(self, report: Report) -> None:
        """Logs the end of one message's run."""
        waited_s = response_s(report.message, self._wall())
        facts: dict[str, object] = {
            **about(report.message),
            "ending": report.how,
            **({"pause_s": report.pause_s} if report.outcome.fate is Fate.RETURN else {}),
            "result": _result(report, waited_s),
            "figures": _figures(report, waited_s),
        }
        if report.outcome.notify:
            log.error(report.outcome.name, extra={**facts, "worker_event": FAILURE})
        elif report.outcome.fate is Fate.RELEASE:
            log.info(report.outcome.name, extra=facts)
        else:
            log.info(report.outcome.name, extra={**facts, "worker_event": "success"})


def response_s(message: Message, wall: float) -> float | None:
    """Seconds from the sending of a message to `wall`; None if SQS gave no sending time."""
    sent_ms = message.sent_ms
    return None if sent_ms is None else max(0.0, wall - sent_ms / 1000)


def _result(report: Report, waited_s: float | None) -> dict[str, object]:
    """A run's result in ecs-watchbot's form; empty if the command did not run."""
    if report.run is None:
        return {}
    return {
        "code": report.ending.exit_code if report.ending else None,
        "signal": report.ending.signal_name if report.ending else None,
        "duration": round(report.duration_s * 1000),
        **({} if waited_s is None else {"response_duration": round(waited_s * 1000)}),
    }


def _figures(report: Report, waited_s: float | None) -> dict[str, float]:
    sent = {} if waited_s is None else {"response_s": waited_s}
    return {
        **in_figures(report.usage),
        "duration_s": report.duration_s,
        **sent,
        "receives": report.message.receives,
    }


def in_figures(usage: Usage) -> dict[str, float]:
    """What is known of a usage, by its names in the log."""
    figures = {"cpu_s": usage.cpu_s, "memory_mb": usage.memory_mb}
    return {name: figure for name, figure in figures.items() if figure is not None}
