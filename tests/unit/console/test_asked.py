"""An order on all letters that match covers those that matched when it was asked for."""

from collections.abc import Iterator

import pytest

from tests.support.builders import a_message
from watchbot.console.letters.asked import ids_confirmed, to_confirm
from watchbot.console.letters.sheaf import Sheaf
from watchbot.console.visit import Form

NOW_S = 1_800_000_000


@pytest.fixture
def sheaf() -> Iterator[Sheaf]:
    sheaf = Sheaf()
    yield sheaf
    sheaf.close()


def take_in(sheaf: Sheaf, name: str, *, age_s: int = 0) -> None:
    sheaf.add(a_message(name, SentTimestamp=str((NOW_S - age_s) * 1000)))


def form(sheaf: Sheaf, **filters: str) -> Form:
    fields = {**filters, **to_confirm(sheaf, NOW_S)}
    return Form(who="ann", fields=[(name, str(value)) for name, value in fields.items()])


def test_letters_that_came_since_are_left_out(sheaf: Sheaf) -> None:
    take_in(sheaf, "one")
    asked = form(sheaf)
    take_in(sheaf, "two")

    assert ids_confirmed(sheaf, asked) == ["one"]


def test_ages_are_those_of_the_moment_of_asking(sheaf: Sheaf) -> None:
    take_in(sheaf, "old", age_s=7201)
    take_in(sheaf, "younger", age_s=7199)

    assert ids_confirmed(sheaf, form(sheaf, older="2h")) == ["old"]
    assert ids_confirmed(sheaf, form(sheaf, newer="2h")) == ["younger"]


def test_letters_that_were_opened_again_are_other_letters(sheaf: Sheaf) -> None:
    take_in(sheaf, "one")
    asked, again = form(sheaf), Sheaf()
    take_in(again, "two")

    found = ids_confirmed(again, asked)
    again.close()

    assert found == []
