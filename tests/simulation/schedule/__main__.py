"""`python -m tests.simulation.schedule --seeds 10000`: many histories, on all cores.

`--replay FILE` plays one history again and shows it. A seed that fails is made smaller and shown.
"""

import argparse
import multiprocessing
import sys
from pathlib import Path

import tests.conftest  # noqa: F401  # sets the environment, without anybody's credentials
from tests.simulation.schedule.history import History, history_of
from tests.simulation.schedule.laws import LAWS
from tests.simulation.schedule.play import Played, play
from tests.simulation.schedule.shrink import report, shrunk


def main() -> int:
    """Plays the histories; 1 when a law broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.schedule")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--replay", type=Path, help="a file with a history, or a seed's number")
    options = parser.parse_args()
    if options.replay:
        played = _replayed(options.replay)
        print(*played.lines, sep="\n")
        return _judged(played)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with multiprocessing.Pool(options.cores) as pool:
        summaries = pool.imap_unordered(_summary, seeds, chunksize=10)
        broken, seconds, runs = [], 0.0, 0
        for seed, why, lasted, found in summaries:
            seconds, runs = seconds + lasted, runs + found
            if why:
                print(f"seed {seed}: {why}", flush=True)
                broken.append(seed)
    print(
        f"{len(seeds)} histories, {seconds / 3600:.1f} simulated hours, {runs} runs, "
        f"{len(LAWS)} laws, {len(broken)} histories in which one broke"
    )
    if broken:
        print(report(shrunk(history_of(min(broken)))))
    return bool(broken)


def _replayed(named: Path) -> Played:
    if named.exists():
        return play(History.of_text(named.read_text(encoding="utf-8")))
    return play(history_of(int(named.name)))


def _judged(played: Played) -> int:
    print(played.broken or "all laws hold")
    return bool(played.broken)


def _summary(seed: int) -> tuple[int, str, float, int]:
    played = play(history_of(seed))
    return seed, str(played.broken or ""), played.seconds, played.runs


if __name__ == "__main__":
    sys.exit(main())
