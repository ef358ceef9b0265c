from collections.abc import Iterator

import pytest

from tests.support.cloud import Cloud, running_cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud
