import pytest

from watchbot.metrics import parse
from watchbot.top.reading import Reading, quantile, summary


def a_reading(at_s: float, *, completed: int = 0, quick: int = 0, slow: int = 0) -> Reading:
    """A watcher that has run `quick` workers for at most 1 s, and `slow` ones for at most 10."""
    every = quick + slow
    text = f"""\
watchbot_messages_settled_total{{outcome="completed"}} {completed}
watchbot_worker_duration_seconds_bucket{{le="1.0"}} {quick}
watchbot_worker_duration_seconds_bucket{{le="10.0"}} {every}
watchbot_worker_duration_seconds_bucket{{le="+Inf"}} {every}
watchbot_workers_busy 2
watchbot_queue_messages{{state="visible"}} 7
"""
    return Reading(at_s=at_s, samples=parse(text))


def test_rates_are_of_the_time_between() -> None:
    said = summary(a_reading(10, completed=100), a_reading(20, completed=150))

    assert said.rates["completed"] == 5
    assert said.rates["failed"] == 0
    assert (said.busy, said.visible, said.p50_s) == (2, 7, None)


def test_watcher_that_was_started_anew_has_no_negative_rate() -> None:
    assert summary(a_reading(0, completed=100), a_reading(10, completed=20)).rates["completed"] == 2


def test_durations_are_of_the_workers_that_ended_between() -> None:
    said = summary(a_reading(0, quick=100), a_reading(1, quick=100, slow=10))

    assert said.p50_s == pytest.approx(5.5)


def test_durations_are_of_all_workers_when_none_ended_between() -> None:
    same = a_reading(0, quick=100)

    assert summary(same, same).p50_s == pytest.approx(0.5)


def test_figures_of_a_watcher_are_those_of_its_queues_together() -> None:
    def reading(at_s: float, *, completed: int) -> Reading:
        text = "".join(
            f"""\
watchbot_messages_received_total{{queue="{name}"}} 1
watchbot_messages_settled_total{{outcome="completed",queue="{name}"}} {weight * completed}
watchbot_worker_duration_seconds_bucket{{le="1.0",queue="{name}"}} {completed}
watchbot_worker_duration_seconds_bucket{{le="+Inf",queue="{name}"}} {completed}
watchbot_queue_messages{{state="visible",queue="{name}"}} {weight}
watchbot_queue_oldest_message_age_seconds{{queue="{name}"}} {weight}
watchbot_paused{{queue="{name}"}} {weight - 1}
"""
            for name, weight in (("low", 1), ("high", 2))
        )
        return Reading(at_s=at_s, samples=parse(text))

    said = summary(reading(0, completed=0), reading(10, completed=100))

    assert (said.visible, said.oldest_s, said.rates["completed"]) == (3, 2, 30)
    assert said.p50_s == pytest.approx(0.5)
    assert list(said.queues) == ["low", "high"]
    assert [queue.rates["completed"] for queue in said.queues.values()] == [10, 20]
    assert [queue.visible for queue in said.queues.values()] == [1, 2]
    assert [queue.paused for queue in said.queues.values()] == [False, True]


@pytest.mark.parametrize(
    ("share", "buckets", "value"),
    [
        (0.5, {}, None),
        (0.5, {1.0: 0, float("inf"): 0}, None),
        (0.5, {1.0: 0, 2.0: 4, float("inf"): 4}, 1.5),
        (0.95, {1.0: 1, float("inf"): 100}, 1.0),
        (1.0, {1.0: 1, 2.0: 3, float("inf"): 3}, 2.0),
    ],
)
def test_quantile(share: float, buckets: dict[float, float], value: float | None) -> None:
    assert quantile(share, buckets) == value
