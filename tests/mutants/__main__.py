"""`python -m tests.mutants`: which mutants do the simulation and the unit tests miss?

Each mutant is put into a copy of the tree, which is then simulated, and tested where that finds
nothing, within a budget of time for each. Ends with 1 when one is missed.
"""

import argparse
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS
from tests.mutants.trials import TRIALS

ROOT = Path(__file__).parents[2]
BUDGET_S = 300  # for each of the two; what takes longer than that hangs, and is caught


@dataclass(frozen=True, slots=True)
class Judged:
    """By what a mutant was caught."""

    mutant: Mutant
    simulated: bool
    tested: bool
    how: str

    @property
    def missed(self) -> bool:
        return not self.simulated and not self.tested

    def __str__(self) -> str:
        marks = [
            "simulation" if self.simulated else "-",
            "unit tests" if self.tested else "-",
        ]
        verdict = "MISSED" if self.missed else "caught"
        return f"{verdict}  {marks[0]:10}  {marks[1]:10}  {self.mutant.name}  {self.how}"


def main() -> int:
    """Judges the mutants; 1 when one is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--only", default="", help="only those whose name has this text")
    parser.add_argument("--first", type=int, default=0, help="leave out those before this one")
    parser.add_argument("--both", action="store_true", help="test what was caught already, too")
    parser.add_argument("--cores", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    if not options.first and not _sound():
        return 2
    chosen = [mutant for mutant in MUTANTS[options.first :] if options.only in mutant.name]
    judged = []
    with multiprocessing.Pool(options.cores) as pool:
        for each in pool.imap_unordered(partial(judge, both=options.both), chosen, chunksize=1):
            print(each, flush=True)
            judged.append(each)
    simulated, tested = sum(each.simulated for each in judged), sum(each.tested for each in judged)
    missed = sum(each.missed for each in judged)
    print(
        f"{len(judged)} mutants: {simulated} caught by the simulation, {tested} by unit tests"
        f"{'' if options.both else ' alone'}, {missed} missed"
    )
    return bool(missed)


def _sound() -> bool:
    """Whether simulation and unit tests pass without a mutant, without which they prove nothing."""
    for trial in TRIALS.values():
        for command in (trial.simulation, trial.tests):
            fails, how = _fails(command, ROOT)
            if fails:
                print(f"{' '.join(command)} fails without a mutant, too: {how}")
                return False
    return True


def judge(mutant: Mutant, *, both: bool) -> Judged:
    """Tries a mutant in a copy of the tree."""
    with tempfile.TemporaryDirectory(prefix="watchbot-mutant-") as folder:
        home = Path(folder)
        for name in ("watchbot", "tests"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, home / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", home)
        file = home / "watchbot" / mutant.file
        file.write_text(mutant.applied(file.read_text(encoding="utf-8")), encoding="utf-8")
        trial = TRIALS[mutant.of]
        simulated, how = _fails(trial.simulation, home)
        tested = False
        if both or not simulated:
            tested, _ = _fails(trial.tests, home)
    return Judged(mutant, simulated, tested, how if simulated else "")


def _fails(command: tuple[str, ...], home: Path) -> tuple[bool, str]:
    """Whether a command fails in this folder, and its first words."""
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=home,
            capture_output=True,
            text=True,
            timeout=BUDGET_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True, "hangs"
    said = done.stdout.strip() or done.stderr.strip()
    return done.returncode != 0, f"({said.splitlines()[0][:90]})" if said else ""


if __name__ == "__main__":
    sys.exit(main())
