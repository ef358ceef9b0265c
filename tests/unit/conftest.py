"""Makes this tier quick and repeatable."""

import asyncio
import gc
import os
import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from tests.support.builders import a_jumping_loop
from watchbot.world import REAL

# Other work on the machine is no fault: there are no deadlines.
settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1_000)  # of `make test-all`
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

gc.disable()  # while the tests are imported: all of that lives to the end


def pytest_collection_finish() -> None:
    """Has the garbage collector leave alone what was imported."""
    gc.freeze()
    gc.enable()


def pytest_runtest_call() -> None:
    """Pauses with jitter are as long as in the last run, and short."""
    random.seed(1)
    REAL.chance.seed(1)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Has tests marked `jumping` wait for nothing: the clock of their loop jumps."""
    jumps = item.get_closest_marker("jumping")
    return {"jumping": a_jumping_loop} if jumps else {"real": asyncio.new_event_loop}
