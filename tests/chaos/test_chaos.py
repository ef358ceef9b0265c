"""Nothing is lost, whatever dies. `make chaos` plays all scenarios, and for longer.

`CHAOS_SEED=7 pytest tests/chaos -s` plays a seed again: the same faults and blows, as far as the
machine's timing lets them fall on the same requests.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.driver import SCENARIOS, Scenario, play

SEED = int(os.environ.get("CHAOS_SEED", "1"))
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
DEATHS = ("kill", "insist", "kill_worker")
SHORT = [  # the messages, and the seconds in which blows fall
    (BY_NAME["terminate"], 400, 5.0),
    (BY_NAME["all"], 400, 5.0),
    (BY_NAME["all-fifo"], 200, 5.0),
    (replace(BY_NAME["batch-fifo"], blows=DEATHS), 100, 2.0),
    (BY_NAME["lines-terminate"], 100, 2.0),
    (replace(BY_NAME["lambda"], blows=DEATHS), 100, 2.0),
]


@pytest.mark.parametrize(
    ("scenario", "count", "chaos_s"), SHORT, ids=[scenario.name for scenario, *_ in SHORT]
)
async def test_nothing_is_lost(
    scenario: Scenario, count: int, chaos_s: float, tmp_path: Path
) -> None:
    at_once = replace(scenario, max_backoff_s=0)
    result = await play(at_once, SEED, tmp_path, count=count, chaos_s=chaos_s)

    print(result)  # noqa: T201  # pytest shows it with a failure, and with -s
    assert not result.wrong, str(result)
