from collections.abc import Iterator

import pytest

from tests.support.cloud import Cloud, running_cloud
from tests.support.dead_letters import Queues, given_up, queues


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def kept(cloud: Cloud) -> Iterator[tuple[Queues, list[str]]]:
    """Three dead letters that nobody takes out, and their ids."""
    place = queues(cloud, "kept")
    ids = [
        cloud.send(place.dead, "plain"),
        given_up(cloud, place.dead, "order 1"),
        given_up(cloud, place.dead, "order 2"),
    ]
    yield place, ids
    assert cloud.depth(place.dead) == (3, 0), "what was looked at is put back"
