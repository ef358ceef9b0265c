"""Many histories, and each that ever broke a law. `python -m` this package plays more."""

from pathlib import Path

import pytest

from tests.simulation.holding import (
    PARTS,
    check_kept,
    check_part,
    kept,
    told_under_seeds_of_hashes,
)
from tests.simulation.schedule.history import Event, History, Planned, history_of
from tests.simulation.schedule.laws import LAWS
from tests.simulation.schedule.simulation import SIMULATION


@pytest.mark.parametrize("part", range(PARTS))
def test_laws_hold_in_random_histories(part: int) -> None:
    check_part(SIMULATION, part)


@pytest.mark.parametrize("path", kept(__file__), ids=lambda path: path.stem)
def test_what_broke_a_law_once_breaks_none(path: Path) -> None:
    check_kept(SIMULATION, path)


def test_the_same_history_plays_the_same_under_another_seed_of_hashes() -> None:
    assert len(told_under_seeds_of_hashes(SIMULATION, "--replay", "7")) == 1


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
