"""What a mutant of each part must pass: many simulated histories, and then tests."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.mutants.mutant import Part

SEEDS = "150"
_PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
_OF_SQS = ("consumer", "intake", "leases", "outage")
_OF_LISTEN = (
    *("breaker", "closing", "dead_letters", "lanes", "observers", "planner", "reserve"),
    *(
        "sentback",
        "settling",
        "watcher",
        "watcher_end",
        "watcher_order",
        "watcher_queues",
        "watcher_rate",
    ),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """Words for Python."""

    simulation: tuple[str, ...]
    tests: tuple[str, ...]


def _trial(part: Part, *tests: str) -> Trial:
    simulation = f"tests.simulation.{part}"
    kept = f"tests/simulation/{part}/test_histories.py::test_what_broke_a_law_once_breaks_none"
    return Trial(
        ("-m", simulation, "--seeds", SEEDS, "--cores", "1", "--first-failure"),
        (*_PYTEST, kept, *tests),
    )


TRIALS: Mapping[Part, Trial] = {
    "watcher": _trial(
        "watcher",
        *(f"tests/unit/sqs/test_{name}.py" for name in _OF_SQS),
        *(f"tests/unit/listen/test_{name}.py" for name in _OF_LISTEN),
    ),
    "schedule": _trial(
        "schedule",
        "tests/contract/schedule/start/test_starter.py",
        "tests/contract/schedule/start/test_turns.py",
        "tests/contract/schedule/store/test_ledger.py",
        *("-k", "not postgres and not dynamodb"),
    ),
    "record": _trial("record", "tests/contract/record/test_record.py", "-k", "not postgres"),
}
