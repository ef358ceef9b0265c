"""Shares the tests out among the workers of pytest-xdist, so that none is left to end alone.

A worker takes a whole file, as its tests share what they start. Of the files in `APART` it takes
one test at a time: together they are the longest, and each starts its own.
"""

import re

from xdist.scheduler import LoadScopeScheduling

# The tiers, by the length of their tests; the small ones fill the gaps at the end.
ORDER = ("chaos", "simulation", "end_to_end", "foreign", "integration", "mutants", "contract")

APART = (
    "tests/chaos/",
    "tests/end_to_end/listen/test_aws_faults.py",
    "tests/end_to_end/listen/test_leases.py",
    "tests/end_to_end/test_credentials.py",
    "tests/end_to_end/test_docs.py",
    "tests/end_to_end/test_examples.py",
    "tests/end_to_end/test_inherited.py",
    "tests/end_to_end/test_migration.py",
    "tests/end_to_end/test_ports.py",
    "tests/end_to_end/test_security.py",
    "tests/integration/test_image.py",
)

_SERVER = re.compile(r"\[(\w+)")


def place(path: str) -> int:
    """The place of a test in the order, by its path from the root: the longest tiers come first."""
    tier = path.split("/")[1]
    return ORDER.index(tier) if tier in ORDER else len(ORDER)


def piece(test: str) -> str:
    """The piece of work that a test belongs to: one worker does the whole piece."""
    if test.startswith(APART):
        return test
    path = test.partition("::")[0]
    if path.startswith("tests/foreign/"):  # each worker would start each server
        server = _SERVER.search(test)
        return f"{path} {server[1]}" if server else path
    return path


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out the pieces in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)
