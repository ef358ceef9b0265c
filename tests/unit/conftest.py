"""What keeps this tier under five seconds, and alike from run to run."""

import gc
import random

from hypothesis import settings

# Every run tries other examples: what a few do not find, the many runs do.
settings.register_profile("unit", max_examples=50, deadline=None)
settings.load_profile("unit")

gc.disable()  # while the tests are imported: all of that lives to the end


def pytest_collection_finish() -> None:
    """Has the garbage collector leave alone what was imported."""
    gc.freeze()
    gc.enable()


def pytest_runtest_call() -> None:
    """Pauses with jitter are as long as in the last run, and short."""
    random.seed(1)
