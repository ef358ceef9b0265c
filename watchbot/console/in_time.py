"""Gives up on a database that does not answer, so that a page can show the rest."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from watchbot.errors import DatabaseDown

PATIENCE_S = 5


@contextmanager
def in_time(option: str) -> Iterator[None]:
    """Bounds what is asked of the database that `option` names.

    Raises `DatabaseDown` where there is no answer within PATIENCE_S seconds.
    """
    try:
        with anyio.fail_after(PATIENCE_S):
            yield
    except TimeoutError as error:
        raise DatabaseDown(f"of {option}", f"no answer within {PATIENCE_S} s") from error
