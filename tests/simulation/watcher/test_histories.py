"""Many histories, and each that ever broke a law. `python -m` this package plays more."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.holding import (
    PARTS,
    check_kept,
    check_part,
    kept,
    told_under_seeds_of_hashes,
)
from tests.simulation.watcher.history import Event, History, Planned, Sent, history_of
from tests.simulation.watcher.play import play
from tests.simulation.watcher.simulation import SIMULATION


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


def a_history(**more: Any) -> History:
    options: Mapping[str, Any] = {**history_of(0).options, **more.pop("options", {})}
    plain: dict[str, Any] = {"seed": 1, "seconds": 10, "watchers": 1, "messages": ()}
    return History(**{**plain, "options": options, **more})


def test_a_broken_law_is_found_and_its_history_made_small() -> None:
    messages = tuple(Sent(name=f"m{number}", runs=(Planned(lasts=2),)) for number in range(4))
    events = (Event(at=1, what="terminate"), Event(at=3, what="unheard_of"))
    history = a_history(watchers=2, messages=messages, events=events, faults={"slow": 0.5})

    small = SIMULATION.shrunk(history)

    assert [event.what for event in small.events] == ["unheard_of"]
    assert not small.messages
    assert not small.faults
    assert small.watchers == 1
    assert "no crash" in SIMULATION.report(small)
    assert "--replay" in SIMULATION.report(small)


def test_a_watcher_that_stands_still_loses_its_lease_and_goes_on_by_the_rule() -> None:
    run = Planned(lasts=30)
    options = {"visibility_timeout": 5, "on_lost_lease": "continue", "max_job_duration": 0}
    history = a_history(
        watchers=2,
        messages=(Sent(name="m", runs=(run, run)),),
        events=(Event(at=1, what="freeze", seconds=4),),
        options={**options, "breaker": 0, "writable_filesystem": False, "exit_when_empty": False},
    )

    played = play(history)

    assert played.broken is None
    assert played.runs == 2, "\n".join(played.lines)
    assert any("lease lost" in line for line in played.lines)
