"""What most tests of the console look at."""

import pytest

from tests.support.cloud import Cloud
from tests.support.dead_letters import Queues, queues


@pytest.fixture(scope="module")
def pair(cloud: Cloud) -> Queues:
    """A queue and its dead-letter queue, for the tests of a file."""
    return queues(cloud, "tiles")
