"""Judges what becomes of messages that processes are handed, and answer."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.simulation.watcher.known import Delivery, Life, Run
from watchbot.listen.care import Ending
from watchbot.listen.closing import WENT_BACK
from watchbot.listen.report import Report
from watchbot.outcome import LEFT, TIMED_OUT, ExitCodes, Fate, Outcome

if TYPE_CHECKING:
    from tests.simulation.watcher.laws import Laws
    from tests.simulation.watcher.processes import Process

CODES = ExitCodes()
DONE_BEFORE = "was done before"


class Answers:
    """Watches processes that stay, or get a batch."""

    def __init__(self, laws: "Laws") -> None:
        self._laws, self._options = laws, laws.history.options
        self._runs: dict[Process, int] = defaultdict(int)

    def process_starts(self, watcher: str) -> None:
        """Hears that one more process of a watcher is about to start."""
        lives = len(self._laws.machines[watcher].processes)
        text = f"{watcher} starts a process, and has {lives}"
        self._laws.check(lives < self._laws.lives[watcher].workers, "slots", text)

    def hands_over(
        self, process: "Process", in_hand: Sequence[Run], received: Sequence[tuple[str, int]]
    ) -> None:
        """Hears what a process is handed, before it has it."""
        laws, watcher = self._laws, process.machine.watcher
        names = [laws.known[message_id].name for message_id, _ in received]
        text = f"{watcher} hands over {', '.join(names)}"
        laws.check(not in_hand, "batch", f"{text}, where {len(in_hand)} are in hand")
        laws.check(len(received) <= laws.history.batch_size, "batch", text)
        groups = {laws.known[message_id].group for message_id, _ in received}
        laws.check(not laws.history.fifo or len(groups) == 1, "batch", f"{text} of {groups}")
        self._runs[process] += 1
        if self._options.get("max_event", 6_000_000) < 6_000_000:
            return  # it may be a part of a batch that no event can hold at once: it counts as none
        self._check_window(watcher, received, text)
        most, runs = self._options.get("recycle_after", 0), self._runs[process]
        laws.check(not most or runs <= most, "recycled", f"{text} to one that had {runs}")

    def _check_window(self, watcher: str, received: Sequence[tuple[str, int]], text: str) -> None:
        laws, window_s = self._laws, self._options.get("batch_window", 0)
        whole = len(received) == laws.history.batch_size
        ends = self._options["exit_when_empty"] or self._options["writable_filesystem"]
        if not window_s or whole or not laws.history.calm or ends:
            return
        life = laws.lives[watcher]
        came = [life.deliveries[f"{name} {receives}"].came_at for name, receives in received]
        waited_s = laws.now() - min(came)
        laws.check(waited_s >= window_s - 0.001, "batch", f"{text} after {waited_s:.1f} s")

    def answered(self, run: Run, code: int) -> None:
        """Hears what a process has answered for a message."""
        self._delivery(run).answer = code

    def broke(self, run: Run) -> None:
        """Hears of an answer that is none."""
        self._delivery(run).told = True

    def process_over(self, run: Run, ending: Ending, *, told: bool) -> None:
        """Hears how a process has ended that has not answered for a message."""
        delivery = self._delivery(run)
        delivery.ending, delivery.told = ending, delivery.told or told
        delivery.ended_at = self._laws.now()

    def reported(self, life: Life, delivery: Delivery, report: Report) -> None:
        """Hears what a watcher says of a message."""
        shown = self._laws.shown(report.message.receipt)
        outcome, how = report.outcome, report.how
        delivery.removes = outcome.removes
        if how.startswith("lease lost") or how == DONE_BEFORE or outcome == LEFT:
            return
        if life.killed:  # while it stood still: nobody hears it
            return
        if outcome in (TIMED_OUT, TIMED_OUT.buried) and self._may_be_late(life, delivery):
            return
        if how == WENT_BACK:
            text = f"{shown} goes back, and none before it does"
            self._laws.check(self._is_behind(life, delivery, report), "as answered", text)
            return
        text = f"{shown} is {outcome.name} ({how})"
        expected = self._expected(delivery)
        if expected is None:
            handed = delivery.batch is not None
            text = f"{text}, and {'has no answer' if handed else 'was not handed over'}"
            self._laws.check(outcome.fate is not Fate.DELETE, "as answered", text)
            return
        as_said = outcome in (expected, expected.buried)
        self._laws.check(as_said, "as answered", f"{text}, and it was {expected.name}")

    def _may_be_late(self, life: Life, delivery: Delivery) -> bool:
        """Whether a run may have been over its deadline when its watcher heard of its end."""
        runs = [] if delivery.batch is None else delivery.batch.runs
        ends = [run.began + self._options["max_job_duration"] for run in runs]
        both_at_once = any(abs(delivery.ended_at - each) < 1e-6 for each in ends)
        return life.stood_still_s > 0 or both_at_once

    def _is_behind(self, life: Life, delivery: Delivery, report: Report) -> bool:
        """Whether a message may go back untouched, as one before it does, or may."""
        known = self._laws.known[delivery.message_id]
        if self._laws.before(known) or report.message.receives > 1:  # its twin may be in hand
            return True
        group = self._laws.groups[known.group]
        ahead = {each.message_id: each for each in group if each.place < known.place}
        failed = (each.last_run for each in ahead.values() if each.last_run is not None)
        return any(run.over and not run.finished for run in failed) or any(
            each.message_id in ahead and (not each.removes or each.calls > 0)  # no answer said so
            for each in life.deliveries.values()
        )

    def _expected(self, delivery: Delivery) -> Outcome | None:
        """What becomes of a message by what its process did; None where that says nothing."""
        if delivery.answer is not None:
            return CODES.outcome(delivery.answer)
        if delivery.ending is None or delivery.told:
            return None
        if self._options.get("warm", "off") != "off":
            return CODES.outcome(1)
        return CODES.outcome(delivery.ending.exit_code)

    def _delivery(self, run: Run) -> Delivery:
        return self._laws.lives[run.watcher].deliveries[run.receipt]
