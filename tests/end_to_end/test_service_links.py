"""Variables that Kubernetes makes of a Service's name are told from options."""

import pytest

from tests.support.cloud import Cloud


@pytest.mark.parametrize(
    ("words", "variable", "service"),
    [
        (("listen", "true"), "WATCHBOT_METRICS_PORT", "watchbot-metrics"),
        (("record",), "WATCHBOT_METRICS_PORT", "watchbot-metrics"),
        (("schedule",), "WATCHBOT_METRICS_PORT", "watchbot-metrics"),
        (("schedule",), "WATCHBOT_PORT", "watchbot"),
        (("healthcheck",), "WATCHBOT_METRICS_PORT", "watchbot-metrics"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_port_of_a_service_is_refused_with_what_to_do(
    cloud: Cloud, words: tuple[str, ...], variable: str, service: str
) -> None:
    env = {
        variable: "tcp://10.0.171.239:9090",
        "QueueUrl": f"{cloud.url}/123456789012/q",
        "WATCHBOT_DATABASE": "sqlite:///db",
    }

    done = cloud.watchbot(*words, env=env)

    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).splitlines()
    assert variable in line
    assert f"Kubernetes sets it for a Service called {service};" in line
    assert "enableServiceLinks: false" in line


def test_flag_goes_before_it(cloud: Cloud) -> None:
    queue = cloud.queue("linked")
    env = {"WATCHBOT_METRICS_PORT": "tcp://10.0.171.239:9090"}

    done = cloud.watchbot(
        "listen", "--queue-url", queue, "--exit-when-empty", "--poll-wait", "1",
        "--metrics-host", "127.0.0.1", "--metrics-port", "0", "true", env=env,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
