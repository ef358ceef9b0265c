import json
from collections.abc import Iterator

import pytest

from tests.support.cloud import Cloud, running_cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def calls_go_to_the_cloud(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)


def with_dead_letters(cloud: Cloud, name: str, receives: int = 5) -> tuple[str, str]:
    """The URLs of a queue and of its dead-letter queue, called NAME-dead."""
    dead = cloud.queue(f"{name}-dead")
    policy = {"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": receives}
    return cloud.queue(name, RedrivePolicy=json.dumps(policy)), dead
