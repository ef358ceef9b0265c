"""The report of a trial, for a person and as JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from watchbot.chaos.findings import Answered, Seen
from watchbot.chaos.plan import FAULTS
from watchbot.deadletter.letter import visible

_MARKS = {"found": "FOUND", "ok": "ok", "note": "note"}


def page(seen: Seen, found: Sequence[Answered], seed: int) -> str:
    """The report for a person."""
    runs = sum(len(notes) for notes in seen.disturbed.values())
    lines = [f"chaos, seed {seed}: {len(seen.subjects)} messages, {runs} disturbed runs"]
    counts = _faults(seen)
    lines += [f"  {counts[fault]:>4} {what}" for fault, what in FAULTS.items() if counts[fault]]
    for each in found:
        lines.append(f"{_MARKS[each.level]:<6} {each.question}: {each.answer}")
        lines += [f"         {line}" for line in each.evidence]
    return "".join(f"{visible(line)}\n" for line in lines)


def as_json(seen: Seen, found: Sequence[Answered], seed: int) -> str:
    """One object: `seed`, `messages`, `runs` (each of the disturbed round), `findings`."""
    facts = {
        "seed": seed,
        "passed": passed(found),
        "messages": len(seen.subjects),
        "faults": _faults(seen),
        "runs": [
            {"message": number, **asdict(note)}
            for number, notes in sorted(seen.disturbed.items())
            for note in notes
        ],
        "findings": [asdict(each) for each in found],
    }
    return json.dumps(facts, ensure_ascii=False) + "\n"


def passed(found: Sequence[Answered]) -> bool:
    """Whether nothing was found."""
    return all(each.level != "found" for each in found)


def _faults(seen: Seen) -> Counter[str]:
    notes = (note for notes in seen.disturbed.values() for note in notes)
    return Counter(note.fault for note in notes if note.fault is not None)
