"""Remembers a watcher's last runs, for `/v1/runs`: figures, and output only where asked for."""

from collections import deque
from datetime import UTC, datetime

from watchbot.listen.report import Report
from watchbot.moment import to_text
from watchbot.outcome import Fate
from watchbot.world import REAL, World

KEPT = 200
OUTPUT_KEPT = 4_096  # characters of a run's last output


class Recent:
    """An observer that remembers the last 200 messages that were dealt with."""

    def __init__(self, *, output: bool = False, world: World = REAL) -> None:
        self._output, self._wall = output, world.wall
        self._runs: deque[dict[str, object]] = deque(maxlen=KEPT)

    def observe(self, report: Report) -> None:
        """Remembers the report, unless the message went back without a run."""
        if report.run is None and report.outcome.fate is Fate.RELEASE:
            return
        usage = report.run.usage if report.run else None
        run: dict[str, object] = {
            "message_id": report.message.id,
            "queue": report.message.queue,
            "run_id": report.run.id if report.run else None,
            "outcome": report.outcome.name,
            "how": report.how,
            "fingerprint": report.fingerprint if report.outcome.notify else None,
            "receives": report.message.receives,
            "ended": to_text(datetime.fromtimestamp(self._wall(), UTC)),
            "duration_s": round(report.duration_s, 3),
            "cpu_s": usage.cpu_s if usage else None,
            "memory_bytes": usage.memory_bytes if usage else None,
        }
        if self._output:
            run["tail"] = report.tail[-OUTPUT_KEPT:]
        self._runs.appendleft(run)

    def page(self) -> list[dict[str, object]]:
        """The runs as `/v1/runs` serves them, the last first."""
        return list(self._runs)
