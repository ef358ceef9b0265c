"""The generated files agree with the code."""

from collections.abc import Callable
from pathlib import Path

import pytest

from generate.files import FILES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("path", "text"), FILES.items(), ids=FILES)
def test_file_that_is_made_is_fresh(path: str, text: Callable[[], str]) -> None:
    assert (ROOT / path).read_text() == text(), "run `make docs`"
