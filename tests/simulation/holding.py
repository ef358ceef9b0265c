"""What the tests of every simulation ask for: laws that hold, and histories that play the same."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.playing import History, Simulation, rarely_collecting

SEEDS = 1000
PARTS = 10  # so that several processes share them


def kept(tests: str) -> Sequence[Path]:
    """The files of the histories that broke a law once, beside the file `tests`."""
    return sorted((Path(tests).parent / "kept").glob("*.json"))


def check_part(simulation: Simulation[History], part: int) -> None:
    """Plays a tenth of a thousand seeds. Raises `AssertionError`, with a history made small."""
    with rarely_collecting():
        for seed in range(part, SEEDS, PARTS):
            history = simulation.of_seed(seed)
            if simulation.play(history).broken:
                text = simulation.report(simulation.shrunk(history))
                raise AssertionError(f"seed {seed}\n{text}")


def check_kept(simulation: Simulation[History], path: Path) -> None:
    """Plays the history of a file. Raises `AssertionError` where it breaks a law."""
    history = simulation.of_text(path.read_text(encoding="utf-8"))
    assert simulation.play(history).broken is None, simulation.report(history)


def told_under_seeds_of_hashes(simulation: Simulation[History], *options: str) -> set[bytes]:
    """All that is told by three programs with these options, two with the same seed of hashes."""
    command = [sys.executable, "-m", f"tests.simulation.{simulation.name}", *options]
    return {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "1", "2")
    }
