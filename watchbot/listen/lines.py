"""The watcher's two lines about a message: that it was received, and how its run ended.

The second has two forms of one result: `duration_s`, `response_s` and `receives`, for the filters
of `watchbot template`; and `code`, `signal`, `duration` and `response_duration`, the last two in
milliseconds, for the filters of ecs-watchbot's stacks. Source of these names and units: its
lib/worker.js and lib/template.js.
"""

import logging

from watchbot.listen.report import Report
from watchbot.outcome import FAILURE, Fate
from watchbot.sqs.message import Message
from watchbot.world import REAL, World

log = logging.getLogger(__name__)


def log_start(message: Message, *, bodies: bool) -> None:
    """Says that a message was received; with its body where `bodies` are asked for."""
    facts: dict[str, object] = {"message_id": message.id, "receives": message.receives}
    log.info("received", extra={**facts, "body": message.body} if bodies else facts)


class Lines:
    """An observer that logs how each run ended, and what that means for its message."""

    def __init__(self, world: World = REAL) -> None:
        self._wall = world.wall

    def observe(self, report: Report) -> None:
        """Logs the end of one message's run."""
        waited_s = response_s(report.message, self._wall())
        facts: dict[str, object] = {
            "message_id": report.message.id,
            "ending": report.how,
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
    """Seconds from the sending of a message to `wall`; None where SQS did not say when."""
    return None if message.sent_ms is None else max(0.0, wall - message.sent_ms / 1000)


def _result(report: Report, waited_s: float | None) -> dict[str, object]:
    """Makes ecs-watchbot's result of a run; empty where nothing ran."""
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
    return {"duration_s": report.duration_s, **sent, "receives": report.message.receives}
