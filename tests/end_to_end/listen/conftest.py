from collections.abc import Iterator

import pytest

from tests.support.cloud import Cloud
from tests.support.gate import Gate, running_gate


@pytest.fixture
def gate(cloud: Cloud) -> Iterator[Gate]:
    with running_gate(cloud.url) as gate:
        yield gate
