"""Keeps the product's log out of a simulation's output, and gives it back afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(level: int = logging.CRITICAL) -> Iterator[logging.Logger]:
    """The product's logger, which meanwhile takes lines from `level` on, for its own handlers."""
    log = logging.getLogger("watchbot")
    before = log.level, log.propagate
    log.setLevel(level)
    log.propagate = False
    try:
        yield log
    finally:
        log.setLevel(before[0])
        log.propagate = before[1]
