"""How many tasks the stack asks for: the simulation of docs/explanation/scaling.md, in small."""

import pytest

from tests.benchmarks.scaling import Counts, Template, bursts, compare, simulate

HOURS_3 = 3 * 3600


def wanted(rule: Template, desired: int, max_size: int, *minutes: tuple[int, int, int]) -> int:
    history = [Counts(visible=v, in_flight=f, running=r) for v, f, r in minutes]
    return rule.wanted(0, history, desired, max_size)


@pytest.mark.parametrize(
    ("waiting", "max_size", "started"), [(3, 1000, 3), (50, 100, 10), (5000, 5000, 500), (1, 1, 1)]
)
def test_backlog_or_a_tenth_is_started(waiting: int, max_size: int, started: int) -> None:
    assert wanted(Template(max_size), 0, max_size, (waiting, 0, 0)) == started


def test_tasks_that_run_are_not_started_again() -> None:
    assert wanted(Template(100), 10, 100, (0, 10, 10)) == 10
    assert wanted(Template(100), 10, 100, (2, 10, 10)) == 12


def test_each_task_counts_by_its_workers() -> None:
    assert wanted(Template(100, concurrency=16), 0, 100, (33, 0, 0)) == 3


def test_fifo_grows_only_while_all_workers_have_a_message() -> None:
    assert wanted(Template(100, fifo=True), 0, 100, (50, 0, 0)) == 10
    assert wanted(Template(100, fifo=True), 10, 100, (50, 3, 10)) == 10
    assert wanted(Template(100, fifo=True), 10, 100, (50, 10, 10)) == 20


def test_all_leave_when_nothing_was_left_for_five_minutes() -> None:
    quiet = [(0, 0, 8)] * 5

    assert wanted(Template(100), 8, 100, *quiet) == 0
    assert wanted(Template(100), 8, 100, *quiet[1:]) == 8
    assert wanted(Template(100), 8, 100, (0, 0, 8), (0, 1, 8), *quiet[2:]) == 8


@pytest.mark.parametrize("max_size", [1, 100])
def test_no_container_is_stopped_at_work(max_size: int) -> None:
    sent_s = bursts(max_size, until_s=HOURS_3)
    day = simulate(Template(max_size), max_size, sent_s, until_s=HOURS_3)

    assert len(day.waits_s) == len(sent_s)
    assert day.killed_at_work == 0
    assert day.running[-1] == 0


def test_heaps_of_a_day_wait_less_and_cost_less_than_under_the_rule_before() -> None:
    days = compare(100)
    ours, before = days["watchbot"], days["ecs-watchbot"]

    assert sum(ours.waits_s) < sum(before.waits_s)
    assert ours.task_s < 0.8 * before.task_s
    assert before.killed_at_work > ours.killed_at_work == 0
