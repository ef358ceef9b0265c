"""Nothing is lost, whatever dies. `make chaos` plays the same for longer.

`CHAOS_SEED=7 pytest tests/chaos -s` plays a seed again: the same faults and blows, as far as the
machine's timing lets them fall on the same requests.
"""

import os
from pathlib import Path

import pytest

from tests.chaos.driver import SCENARIOS, Scenario, play

SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_nothing_is_lost(scenario: Scenario, tmp_path: Path) -> None:
    result = await play(scenario, SEED, tmp_path, count=400, chaos_s=5)

    print(result)  # noqa: T201  # pytest shows it with a failure, and with -s
    assert not result.wrong, str(result)
