"""Parts as bits: a job's parts are cut into chunks, and a chunk is 64 words of 64 bits.

DynamoDB cannot set a bit: a word is read, and written if nobody has changed it meanwhile. Parts
that run at the same time are mostly neighbours, so neighbours are in different words. A chunk
stays under 1 KB, which is the least that DynamoDB charges a write for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WORDS = 64
WORD_BITS = 64
CHUNK_PARTS = WORDS * WORD_BITS

NAMES = tuple(f"w{number}" for number in range(WORDS))  # a chunk's words, as its item has them


@dataclass(frozen=True, slots=True)
class Bit:
    """Where a part is kept: the number of its chunk, its word in it, and its bit in that."""

    chunk: int
    word: str
    mask: int


def bit_of(place: int) -> Bit:
    """Where the part is kept that is the `place`-th of its job, from 0."""
    chunk, within = divmod(place, CHUNK_PARTS)
    return Bit(chunk, NAMES[within % WORDS], 1 << within // WORDS)


def chunks(total: int) -> range:
    """The numbers of the chunks of a job with so many parts."""
    return range(-(-total // CHUNK_PARTS))


def size(chunk: int, total: int) -> int:
    """How many parts this chunk has; the last one may have fewer than the others."""
    return min(CHUNK_PARTS, total - chunk * CHUNK_PARTS)


def count(words: Mapping[str, Any]) -> int:
    """How many parts of a chunk are done."""
    return sum(int(words.get(name, 0)).bit_count() for name in NAMES)


def missing(chunk: int, total: int, words: Mapping[str, Any]) -> Iterator[int]:
    """The places, in their job, of the parts of a chunk that are not done, in order."""
    held = [words.get(name, 0) for name in NAMES]
    start = chunk * CHUNK_PARTS
    for within in range(size(chunk, total)):
        if not held[within % WORDS] >> within // WORDS & 1:
            yield start + within
