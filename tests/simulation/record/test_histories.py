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
from tests.simulation.record.history import Deed, History, Sent, history_of
from tests.simulation.record.simulation import SIMULATION


@pytest.mark.parametrize("part", range(PARTS))
def test_laws_hold_in_random_histories(part: int) -> None:
    check_part(SIMULATION, part)


@pytest.mark.parametrize("path", kept(__file__), ids=lambda path: path.stem)
def test_what_broke_a_law_once_breaks_none(path: Path) -> None:
    check_kept(SIMULATION, path)


def test_the_same_histories_play_the_same_under_another_seed_of_hashes() -> None:
    assert len(told_under_seeds_of_hashes(SIMULATION, "--trace", "--seeds", "12")) == 1


def test_a_history_is_the_same_once_it_was_written_and_read() -> None:
    for seed in range(20):
        assert History.of_text(history_of(seed).to_text()) == history_of(seed)


def test_a_broken_law_is_found_and_its_history_made_small() -> None:
    history = History(
        seed=1,
        seconds=10,
        recorders=2,
        concurrency=4,
        batch=5,
        visibility_s=30,
        messages=tuple(Sent(at=1, what="task", name="t", version=each) for each in range(1, 5)),
        deeds=(Deed(at=1, what="learn"), Deed(at=3, what="unheard_of")),
        faults={"slow": 0.5},
    )

    small = SIMULATION.shrunk(history)

    assert [deed.what for deed in small.deeds] == ["unheard_of"]
    assert not small.messages
    assert not small.faults
    assert small.recorders == 1
    assert "no crash" in SIMULATION.report(small)
    assert "--replay" in SIMULATION.report(small)
