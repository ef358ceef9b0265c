"""Parts as bits: a chunk holds 4,096 parts of a job in 64 words of 64 bits.

DynamoDB cannot set a bit: the store reads a word, and writes it unless another writer changed it.
Parts that run at the same time are mostly neighbours, so neighbours get different words. A chunk
stays under 1 KB, the least that DynamoDB charges for a write.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WORDS = 64
WORD_BITS = 64
CHUNK_PARTS = WORDS * WORD_BITS

NAMES = tuple(f"w{number}" for number in range(WORDS))  # the attributes of a chunk's item


@dataclass(frozen=True, slots=True)
class Bit:
    """The position of a part: its chunk's number, the word in that chunk, the bit in that word."""

    chunk: int
    word: str
    mask: int


def bit_of(index: int) -> Bit:
    """The position of the part with this index in its job, from 0."""
    chunk, within = divmod(index, CHUNK_PARTS)
    return Bit(chunk, NAMES[within % WORDS], 1 << within // WORDS)


def chunks(total: int) -> range:
    """The numbers of the chunks of a job with `total` parts."""
    return range(-(-total // CHUNK_PARTS))


def size(chunk: int, total: int) -> int:
    """The number of parts in a chunk; the last chunk may have fewer."""
    return min(CHUNK_PARTS, total - chunk * CHUNK_PARTS)


def count(words: Mapping[str, Any]) -> int:
    """The number of parts of a chunk that are done."""
    return sum(int(words.get(name, 0)).bit_count() for name in NAMES)


def missing(chunk: int, total: int, words: Mapping[str, Any]) -> Iterator[int]:
    """The indexes in the job of a chunk's open parts, in order."""
    held = [words.get(name, 0) for name in NAMES]
    start = chunk * CHUNK_PARTS
    for within in range(size(chunk, total)):
        if not held[within % WORDS] >> within // WORDS & 1:
            yield start + within
