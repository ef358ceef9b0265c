"""What keeps this tier under five seconds."""

import gc

from hypothesis import settings

# Every run tries other examples: what a few do not find, the many runs do.
settings.register_profile("unit", max_examples=50, deadline=None)
settings.load_profile("unit")


def pytest_collection_finish() -> None:
    """Has the garbage collector leave alone what was imported: it lives to the end."""
    gc.collect()
    gc.freeze()
