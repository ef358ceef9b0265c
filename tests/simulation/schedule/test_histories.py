"""Many histories, and each that ever broke a law. `python -m` this package plays more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.schedule.history import Event, History, Planned, history_of
from tests.simulation.schedule.laws import LAWS
from tests.simulation.schedule.play import play
from tests.simulation.schedule.simulation import SIMULATION

KEPT = sorted((Path(__file__).parent / "kept").glob("*.json"))
SEEDS = 1000
PARTS = 10  # so that several processes share them


@pytest.mark.parametrize("part", range(PARTS))
def test_laws_hold_in_random_histories(part: int) -> None:
    for seed in range(part, SEEDS, PARTS):
        if play(history_of(seed)).broken:
            pytest.fail(f"seed {seed}\n{SIMULATION.report(SIMULATION.shrunk(history_of(seed)))}")


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_broke_a_law_once_breaks_none(path: Path) -> None:
    history = History.of_text(path.read_text(encoding="utf-8"))

    assert play(history).broken is None, SIMULATION.report(history)


def test_the_same_history_plays_the_same_under_another_seed_of_hashes() -> None:
    command = [sys.executable, "-m", "tests.simulation.schedule", "--replay", "7"]
    told = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "1", "2")
    }

    assert len(told) == 1


def test_a_history_is_the_same_once_it_was_written_and_read() -> None:
    assert History.of_text(history_of(3).to_text()) == history_of(3)


def test_a_broken_law_is_found_and_its_history_made_small() -> None:
    job = Planned(id="a", overlap="skip", every=5, tasks=1)
    events = (
        Event(at=2, what="run", job="a"),
        Event(at=3, what="unheard_of", job="a"),
        Event(at=4, what="pause", job="a"),
    )
    history = History(
        seed=1, seconds=10, replicas=2, jobs=(job,), events=events, faults={"slow": 0.5}
    )

    small = SIMULATION.shrunk(history)

    assert [event.what for event in small.events] == ["unheard_of"]
    assert not small.faults
    assert small.replicas == 1
    assert "no crash" in SIMULATION.report(small)
    assert all(law for law in LAWS.values())
