"""Replicas of `watchbot schedule` that are killed start each run once, and lose none."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.chaos.schedule import RUNS, Books, a_database, a_table, storm


@pytest.mark.parametrize(
    ("books", "jobs"), [(a_database, 10), (a_table, 5)], ids=["postgres", "dynamodb"]
)
def test_killed_replicas_start_each_run_once(
    books: Callable[[], AbstractContextManager[Books]], jobs: int
) -> None:
    with books() as kept:
        toll = storm(kept, replicas=3, jobs=jobs, kills=3, seed=7)

    assert (toll.duplicates, toll.lost, toll.gaps, toll.unsettled) == (0, 0, 0, 0)
    assert toll.runs >= 3 * RUNS
