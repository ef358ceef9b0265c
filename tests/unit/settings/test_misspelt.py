"""Variables that begin as ours do, and that nothing reads."""

import pytest

from watchbot.settings.misspelt import unknown_variables


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("WATCHBOT_CONCURENCY", "WATCHBOT_CONCURRENCY"),
        ("WATCHBOT_QUEUEURL", "WATCHBOT_QUEUE_URL"),
        ("WATCHBOT_METRIC_PORT", "WATCHBOT_METRICS_PORT"),
        ("WATCHBOT_POLLWAIT", "WATCHBOT_POLL_WAIT"),
        ("WATCHBOT_DATABSE", "WATCHBOT_DATABASE"),
        ("WATCHBOT_ZZZ", None),
    ],
)
def test_unknown_one_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str | None
) -> None:
    monkeypatch.setenv(name, "4")

    (unknown,) = unknown_variables()

    assert (unknown.name, unknown.nearest) == (name, nearest)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WATCHBOT_CONCURRENCY", "4"),
        ("WATCHBOT_TASK_ROLES", "x"),  # of `watchbot template`
        ("WATCHBOT_CACHE", "/cache"),
        ("WATCHBOT_METRICS_PORT", "9090"),
        ("WATCHBOT_CONCURENCY", ""),
        # Variables that Kubernetes sets for a Service called watchbot, or watchbot-api.
        ("WATCHBOT_SERVICE_HOST", "10.0.0.1"),
        ("WATCHBOT_SERVICE_PORT", "80"),
        ("WATCHBOT_API_SERVICE_PORT_HTTP", "80"),
        ("WATCHBOT_API_PORT", "tcp://10.0.0.1:80"),
        ("WATCHBOT_API_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("MY_WATCHBOT_CONCURENCY", "4"),
    ],
)
def test_others_are_not(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    assert unknown_variables() == []
