"""Mutants of the plan for a drain, and of the room that is kept for workers."""

from tests.mutants.mutant import Mutant

PLANNER, RESERVE = "listen/planner.py", "listen/reserve.py"

OF_PLANNING = (
    Mutant(
        "ends runs early with few durations known",
        PLANNER,
        "if len(durations) < FEWEST or len(rests) < FEWEST_LONGER:",
        "if not rests:",
    ),
    Mutant(
        "ends a run early that may end in time",
        PLANNER,
        "if sum(each > left_s for each in rests) < LATE * len(rests):",
        "if not any(each > left_s for each in rests):",
    ),
    Mutant(
        "expects a run to last as runs that were shorter",
        PLANNER,
        "sorted(each - lasted_s for each in durations if each > lasted_s)",
        "sorted(each - lasted_s for each in durations)",
    ),
    Mutant(
        "learns from runs that were cut short",
        PLANNER,
        'if report.outcome.name == "completed" and report.run is not None:',
        "if report.run is not None:",
    ),
    Mutant(
        "plans as if the drain were over",
        PLANNER,
        "ends.drained_at = anyio.current_time() + drain_s",
        "ends.drained_at = anyio.current_time()",
    ),
    Mutant(
        "keeps no room for the start of a worker",
        RESERVE,
        "wanted = self._needed(self._workers + count) + STARTING",
        "wanted = self._needed(self._workers + count)",
    ),
    Mutant(
        "promises room that it did not get",
        RESERVE,
        "            count = got\n",
        "            pass\n",
    ),
    Mutant(
        "never looks again at a machine that had no room",
        RESERVE,
        "if self.trouble or self._clock() >= self._looks_at:",
        "if not self.trouble and self._clock() >= self._looks_at:",
    ),
)
