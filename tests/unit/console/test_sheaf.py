"""Many dead letters: found by text, kind and age, and dropped once they are gone."""

from collections.abc import Iterator

import pytest

from tests.support.builders import a_message
from watchbot.console.letters.sheaf import Kind, Sheaf
from watchbot.sqs.evidence import Evidence, attested
from watchbot.sqs.message import Attribute, Message


def a_letter(name: str, body: str, *, fingerprint: str | None = None, sent_ms: int = 0) -> Message:
    attributes = {"colour": Attribute(type="String", value="röd")}
    if fingerprint is not None:
        evidence = Evidence(
            reason=f"because of {fingerprint}",
            fingerprint=fingerprint,
            duration_s=1,
            message_id=f"first-{name}",
            sent_ms=sent_ms,
            receives=3,
        )
        attributes = attested(attributes, evidence)
    return Message(
        id=name,
        receipt=f"receipt-{name}",
        body=body,
        asked_at=1.5,
        system={"SentTimestamp": str(sent_ms)},
        attributes=attributes,
    )


@pytest.fixture
def sheaf() -> Iterator[Sheaf]:
    sheaf = Sheaf()
    yield sheaf
    sheaf.close()


def test_letter_comes_back_as_it_was(sheaf: Sheaf) -> None:
    odd = a_letter("odd", 'half \ud83d, "quotes"\nand é', fingerprint="f1", sent_ms=5)
    sheaf.add(a_message())
    sheaf.add(odd)

    place = sheaf.place("odd")

    assert place is not None
    assert sheaf.message(place) == odd
    assert sheaf.id(place) == "odd"
    assert sheaf.place("none") is None


def test_filters_combine_and_the_newest_comes_first(sheaf: Sheaf) -> None:
    for number in range(6):
        body = f"tile {number}" if number % 2 else "other"
        kind = "f1" if number < 4 else None
        sheaf.add(a_letter(f"m{number}", body, fingerprint=kind, sent_ms=number * 1000))

    def ids(**asked: object) -> list[str]:
        return [sheaf.id(place) for place in sheaf.places(**asked)]  # type: ignore[arg-type]  # any filter

    assert ids() == ["m5", "m4", "m3", "m2", "m1", "m0"]
    assert ids(text="tile") == ["m5", "m3", "m1"]
    assert ids(text="tile", fingerprint="f1") == ["m3", "m1"]
    assert ids(fingerprint="") == ["m5", "m4"]
    assert ids(text="röd", sent_after_ms=2000, sent_before_ms=4000) == ["m3", "m2"]
    assert ids(text="tile 3other") == []  # the end of one letter, and the start of the next


def test_dropped_letters_are_neither_found_nor_counted(sheaf: Sheaf) -> None:
    for number in range(3):
        sheaf.add(a_letter(f"m{number}", "tile", fingerprint="f1", sent_ms=number))

    sheaf.drop(["m2", "unknown"])

    kind = Kind(reason="because of f1", fingerprint="f1")
    assert len(sheaf) == 2
    assert sheaf.place("m2") is None
    assert sheaf.kinds() == [(kind, 2, 1)]
    assert [sheaf.id(place) for place in sheaf.places(text="tile")] == ["m1", "m0"]
