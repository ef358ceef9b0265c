"""What makes this tier quick, and alike from run to run."""

import gc
import random

from hypothesis import settings

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
