"""Every mutant can still be put into the product: its text stands there, once."""

from pathlib import Path

import pytest

import watchbot
from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS

PACKAGE = Path(watchbot.__file__).parent


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_applies(mutant: Mutant) -> None:
    text = (PACKAGE / mutant.file).read_text(encoding="utf-8")

    compile(mutant.applied(text), mutant.file, "exec")
    assert mutant.applied(text) != text


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40
