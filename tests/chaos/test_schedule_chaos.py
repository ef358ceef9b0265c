"""Replicas of `watchbot schedule` that are killed start each run once, and lose none."""

from tests.chaos.schedule import RUNS, storm
from tests.postgres import running_postgres


def test_killed_replicas_start_each_run_once() -> None:
    with running_postgres() as postgres:
        toll = storm(postgres, replicas=3, jobs=10, kills=3, seed=7)

    assert (toll.duplicates, toll.lost, toll.gaps, toll.unsettled) == (0, 0, 0, 0)
    assert toll.runs >= 3 * RUNS
