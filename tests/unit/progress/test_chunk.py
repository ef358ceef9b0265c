"""Parts as bits of chunks: every part has one, and a chunk stays small."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from watchbot.dynamodb import encoded
from watchbot.progress.chunk import (
    CHUNK_PARTS,
    WORDS,
    bit_of,
    chunks,
    count,
    missing,
    size,
)

SMALLEST_WRITE_BYTES = 1024  # DynamoDB charges for as much at the least


def words(places: range) -> dict[str, int]:
    """The words of a chunk in which the parts at these places are done."""
    done: dict[str, int] = {}
    for place in places:
        bit = bit_of(place)
        done[bit.word] = done.get(bit.word, 0) | bit.mask
    return done


def stored_bytes(item: Mapping[str, object]) -> int:
    """The size that DynamoDB counts: names, texts, and a byte for two digits and one more."""
    size = 0
    for name, value in item.items():
        ((kind, inner),) = encoded(value).items()
        size += len(name) + (len(inner) if kind == "S" else -(-len(inner) // 2) + 1)
    return size


def test_each_part_of_a_chunk_has_a_bit_of_its_own() -> None:
    bits = {bit_of(place) for place in range(CHUNK_PARTS)}

    assert len(bits) == CHUNK_PARTS
    assert {bit.chunk for bit in bits} == {0}
    assert bit_of(CHUNK_PARTS).chunk == 1


def test_neighbours_are_in_different_words() -> None:
    assert len({bit_of(place).word for place in range(1000, 1000 + WORDS)}) == WORDS


def test_full_chunk_is_one_small_write() -> None:
    full = {
        "id": f"watchbot-parts:{'0' * 32}:2441",
        "expires": 1_800_000_000,
        **words(range(CHUNK_PARTS)),
    }

    assert stored_bytes(full) <= SMALLEST_WRITE_BYTES


@given(total=st.integers(1, 10_000_000), data=st.data())
def test_chunks_have_all_parts_between_them(total: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, total - 1))

    assert bit_of(place).chunk in chunks(total)
    assert size(chunks(total)[-1], total) == total - CHUNK_PARTS * (len(chunks(total)) - 1)


@given(total=st.integers(1, 3 * CHUNK_PARTS), done=st.integers(0, 3 * CHUNK_PARTS))
def test_what_is_not_done_is_missing(total: int, done: int) -> None:
    done = min(done, total)
    left = []
    for number in chunks(total):
        start = number * CHUNK_PARTS
        held = words(range(start, min(start + CHUNK_PARTS, done)))
        left += list(missing(number, total, held))
        assert count(held) == max(0, min(size(number, total), done - start))

    assert left == list(range(done, total))
