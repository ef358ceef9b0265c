import functools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tests.support.cloud import Cloud
from tests.support.queues import Bench, Open, at_moto, at_our_server, in_memory


@pytest.fixture(params=[in_memory, at_moto, at_our_server], ids=["memory", "moto", "server"])
def opened(request: pytest.FixtureRequest, cloud: Cloud) -> Open:
    """Opens a fresh queue; "" for a standard one, ".fifo" for the other kind."""
    open_bench: Callable[[Cloud, str], AbstractAsyncContextManager[Bench]] = request.param
    return functools.partial(open_bench, cloud)


@pytest.fixture(params=[in_memory, at_our_server], ids=["memory", "server"])
def opened_ours(request: pytest.FixtureRequest, cloud: Cloud) -> Open:
    """Opens the queues without moto, for cases that moto is known to get wrong."""
    return functools.partial(request.param, cloud)
