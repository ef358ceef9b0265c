"""Messages that no queue takes, and how large one is."""

import pytest

from tests.support.destination import FakeDestination, published
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import MESSAGE_BYTES, Outgoing, Unsent, flaw, size_bytes

FLAWS = [
    pytest.param("x" * (MESSAGE_BYTES + 1), "MessageTooLarge", id="too large"),
    pytest.param("é" * (MESSAGE_BYTES // 2 + 1), "MessageTooLarge", id="too many bytes"),
    pytest.param("", "EmptyMessage", id="empty"),
    pytest.param("a\0", "InvalidMessageContents", id="NUL"),
    pytest.param("\x0b", "InvalidMessageContents", id="control"),
    pytest.param("\ufffe", "InvalidMessageContents", id="noncharacter"),
    pytest.param("\ud800", "InvalidMessageContents", id="surrogate"),
    pytest.param("\udcff", "InvalidMessageContents", id="byte"),
]


@pytest.mark.parametrize(("body", "code"), FLAWS)
async def test_message_that_no_queue_takes_is_named_and_not_sent(body: str, code: str) -> None:
    destination = FakeDestination()

    results = await published(
        destination, [Outgoing(body="0"), Outgoing(body=body), Outgoing(body="2")]
    )

    assert results[0::2] == ["id-0", "id-2"]
    assert isinstance(results[1], Unsent)
    assert results[1].code == code
    assert destination.bodies == ["0", "2"]


def test_flaw_names_the_byte_that_is_not_utf8() -> None:
    found = flaw(Outgoing(body=b"ab\xff".decode(errors="surrogateescape")))

    assert found == Unsent(
        code="InvalidMessageContents", text="its character 3, the byte 0xFF, is not UTF-8"
    )


@pytest.mark.parametrize(
    "body", ["x" * MESSAGE_BYTES, "\t\n\r \ud7ff\ue000\ufffd\U00010000\U0010ffff"]
)
def test_flawless_messages(body: str) -> None:
    assert flaw(Outgoing(body=body)) is None


def test_attributes_are_checked_too() -> None:
    bad_text = Outgoing(body="0", attributes={"a": Attribute(type="String", value="\0")})
    bad_bytes = Outgoing(body="0", attributes={"a": Attribute(type="Binary", value="?")})

    assert [found and found.code for found in map(flaw, (bad_text, bad_bytes))] == [
        "InvalidMessageContents",
        "InvalidAttribute",
    ]


SIZES = [
    pytest.param(Outgoing(body="é"), 2, id="bytes, not characters"),
    pytest.param(Outgoing(body="abc", subject="de"), 5, id="subject"),
    pytest.param(
        Outgoing(body="a", attributes={"name": Attribute(type="Number", value="12")}),
        1 + 4 + 6 + 2,
        id="attribute",
    ),
    pytest.param(
        Outgoing(body="a", attributes={"n": Attribute(type="Binary.png", value="AAAA")}),
        1 + 1 + 10 + 3,
        id="binary attribute",
    ),
]


@pytest.mark.parametrize(("message", "size"), SIZES)
def test_size_is_what_aws_counts(message: Outgoing, size: int) -> None:
    assert size_bytes(message) == size
