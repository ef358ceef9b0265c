"""The long form: `python -m tests.chaos [--seeds 10] [--first-seed 1] [--messages 2000]`."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import tests.conftest  # noqa: F401  # sets the environment, without anybody's credentials
from tests.chaos.driver import SCENARIOS, Result, measure_growth, play

CHAOS_S = 30


def main() -> int:
    """Plays every scenario with every seed; 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--chaos-seconds", type=float, default=CHAOS_S)
    options = parser.parse_args()
    failed = 0
    if not options.only:
        failed += _show(lambda home: measure_growth(home, first=200, count=options.messages))
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for scenario in SCENARIOS:
            if options.only in (None, scenario.name):
                failed += _show(
                    lambda home, scenario=scenario, seed=seed: play(  # type: ignore[misc]  # a lambda has no types
                        scenario,
                        seed,
                        home,
                        count=options.messages,
                        chaos_s=options.chaos_seconds,
                    )
                )
    return 1 if failed else 0


def _show(scene: Callable[[Path], Coroutine[Any, Any, Result]]) -> bool:
    """Plays one scene, says what came of it, and whether that is wrong. Its logs stay then."""
    home = Path(tempfile.mkdtemp(prefix="watchbot-chaos-"))
    result = asyncio.run(scene(home))
    sys.stdout.write(f"{'WRONG, see ' + str(home) if result.wrong else 'ok'} {result}\n")
    sys.stdout.flush()
    if not result.wrong:
        shutil.rmtree(home)
    return bool(result.wrong)


if __name__ == "__main__":
    sys.exit(main())
