"""Makes this tier quick and repeatable."""

import asyncio
import gc
import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from tests.support.builders import a_jumping_loop
from watchbot.world import REAL

settings.register_profile("unit", deadline=None)  # other work on the machine is no fault
settings.load_profile("unit")

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
