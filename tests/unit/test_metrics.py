"""The catalogue tells the truth."""

import re
import subprocess
import sys

import pytest

from watchbot import metrics, outcome
from watchbot.errors import AwsError
from watchbot.metrics import CATALOGUE, Metric
from watchbot.outcome import Outcome


def test_outcomes_are_all_there() -> None:
    known = {each.name for each in vars(outcome).values() if isinstance(each, Outcome)}

    assert set(outcome.NAMES) == known


def test_results_of_calls_are_all_there() -> None:
    kinds: list[type[AwsError]] = [AwsError]
    for kind in kinds:  # grows meanwhile: those below those below it, too
        kinds += kind.__subclasses__()
    faults = {kind.__name__ for kind in kinds}

    assert set(metrics.RESULTS) == faults | {"ok", "error"}


@pytest.fixture(scope="module")
def scraped() -> str:
    """The metrics of a process that has just started."""
    program = "from watchbot import metrics; print(metrics.scrape().decode())"
    words = [sys.executable, "-c", program]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_counter_is_at_0_before_the_first_event(entry: Metric, scraped: str) -> None:
    assert f"# TYPE {entry.name} {entry.kind}\n" in scraped
    if entry.kind == "counter" and all(entry.labels.values()):  # with no names of users in it
        for name, values in entry.labels.items():
            seen = set(re.findall(rf'^{entry.name}{{.*{name}="(\w+)"', scraped, re.M))
            assert seen == set(values)


def test_very_many_schedules_share_one_name() -> None:
    program = (
        "from watchbot import metrics\n"
        "names = [metrics.schedule_label(f'j{n}') for n in range(600)]\n"
        "print(len(set(names)), names[499], names[599], metrics.schedule_label('j7'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.split() == ["501", "j499", "*", "j7"]
