"""Holds what is shown of many dead letters in little memory: the texts are in a file on disk.

A hundred thousand letters take some ten megabytes of memory here. The file has no name, so nobody
else reads it, and it is gone with the process.
"""

import bisect
import contextlib
import json
import secrets
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from watchbot.deadletter import letter
from watchbot.sqs.evidence import read
from watchbot.sqs.message import Attribute, Message

MOST = 100_000  # letters
MOST_BYTES = 1 << 30  # of the file
PIECE_BYTES = 4 << 20  # of a search


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Letters of one fingerprint; both None for letters that no watcher gave up."""

    reason: str | None
    fingerprint: str | None


class Sheaf:
    """The letters in order of arrival. A letter's place is its number, from 0.

    `name` is of this one alone.
    """

    def __init__(self) -> None:
        self.name = secrets.token_urlsafe(9)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        self._size = 0
        self._starts, self._bodies = array("Q"), array("L")
        self._sent, self._kind_of = array("q"), array("L")
        self._kinds: dict[Kind, int] = {}
        self._ids: list[str] = []
        self._places: dict[str, int] = {}
        self._gone: set[int] = set()

    def __len__(self) -> int:
        return len(self._starts) - len(self._gone)

    @property
    def received(self) -> int:
        """The number of letters that were taken in, with those that are gone: the next place."""
        return len(self._starts)

    @property
    def full(self) -> bool:
        """Whether there is no room for one more wave of letters."""
        return len(self._starts) >= MOST or self._size >= MOST_BYTES

    def add(self, message: Message) -> None:
        """Takes in a letter."""
        evidence = read(message)
        kind = Kind(
            reason=evidence.reason if evidence else None,
            fingerprint=evidence.fingerprint if evidence else None,
        )
        sent = message.sent_ms if evidence is None else evidence.sent_ms
        body = message.body.encode(errors="surrogatepass")
        rest = json.dumps(
            [
                message.id,
                message.receipt,
                message.asked_at,
                dict(message.system),
                {name: asdict(item) for name, item in message.attributes.items()},
            ],
            ensure_ascii=False,
        ).encode(errors="surrogatepass")
        self._places[message.id] = len(self._starts)
        self._ids.append(message.id)
        self._starts.append(self._size)
        self._bodies.append(len(body))
        self._sent.append(-1 if sent is None else sent)
        self._kind_of.append(self._kinds.setdefault(kind, len(self._kinds)))
        self._file.seek(self._size)
        self._size += self._file.write(body + rest)

    def place(self, message_id: str) -> int | None:
        """The place of the letter with this id; None if it is not here."""
        place = self._places.get(message_id)
        return None if place is None or place in self._gone else place

    def message(self, place: int) -> Message:
        """The letter at a place, as it was received."""
        start, end = self._span(place)
        self._file.seek(start)
        whole = self._file.read(end - start)
        body, rest = whole[: self._bodies[place]], whole[self._bodies[place] :]
        message_id, receipt, asked_at, system, attributes = json.loads(
            rest.decode(errors="surrogatepass")
        )
        return Message(
            id=message_id,
            receipt=receipt,
            body=body.decode(errors="surrogatepass"),
            asked_at=asked_at,
            system=system,
            attributes={name: Attribute(**item) for name, item in attributes.items()},
        )

    def id(self, place: int) -> str:
        """The id of the letter at a place."""
        return self._ids[place]

    def drop(self, message_ids: Sequence[str]) -> None:
        """Leaves letters out from now on."""
        self._gone.update(self._places.pop(each) for each in message_ids if each in self._places)

    def places(
        self,
        *,
        fingerprint: str | None = None,
        text: str = "",
        sent_after_ms: int | None = None,
        sent_before_ms: int | None = None,
    ) -> list[int]:
        """The places of letters with all of these, the newest letter first.

        `text` is found in bodies and in attributes, as it is written.
        """
        kinds = {
            number
            for kind, number in self._kinds.items()
            if fingerprint is None or (kind.fingerprint or "") == fingerprint
        }
        among: Sequence[int] = range(len(self._starts))
        if text:
            among = sorted(set(self._holding(text.encode(errors="replace"))))
        after = -1 if sent_after_ms is None else sent_after_ms
        before = (1 << 62) if sent_before_ms is None else sent_before_ms
        found = [
            place
            for place in among
            if place not in self._gone
            and self._kind_of[place] in kinds
            and after <= self._sent[place] < before
        ]
        found.sort(key=self._sent.__getitem__, reverse=True)
        return found

    def kinds(self) -> list[tuple[Kind, int, int]]:
        """Each kind with its count, and the place of its newest letter; the most frequent first."""
        counts: Counter[int] = Counter()
        newest: dict[int, int] = {}
        for place, number in enumerate(self._kind_of):
            if place in self._gone:
                continue
            counts[number] += 1
            if self._sent[place] >= self._sent[newest.get(number, place)]:
                newest[number] = place
        kinds: Mapping[int, Kind] = {number: kind for kind, number in self._kinds.items()}
        return [(kinds[number], count, newest[number]) for number, count in counts.most_common()]

    def close(self) -> None:
        """Gives the file's space back."""
        with contextlib.suppress(OSError):  # a disk that is full takes what is buffered no more
            self._file.close()

    def _span(self, place: int) -> tuple[int, int]:
        last = place + 1 == len(self._starts)
        return self._starts[place], self._size if last else self._starts[place + 1]

    def _holding(self, wanted: bytes) -> Iterator[int]:
        """The places of letters with these bytes, read in large pieces."""
        for start in range(0, self._size, PIECE_BYTES):
            self._file.seek(start)
            piece = self._file.read(PIECE_BYTES + len(wanted) - 1)
            found = piece.find(wanted)
            while found >= 0:
                place = bisect.bisect_right(self._starts, start + found) - 1
                end = self._span(place)[1]
                if start + found + len(wanted) <= end:
                    yield place
                found = piece.find(wanted, max(end - start, found + 1))

    def summary(self, place: int) -> dict[str, Any]:
        """What a list shows of the letter; see `watchbot.deadletter.letter.summary`."""
        return {**letter.summary(self.message(place)), "place": place}
