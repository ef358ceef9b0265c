from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> str:
    """For what is the same in every database."""
    return f"sqlite:///{tmp_path}/test.db"
