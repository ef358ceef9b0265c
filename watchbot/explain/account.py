"""What is known of one message, as a page for a person and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchbot.deadletter.letter import visible
from watchbot.explain.tries import Try
from watchbot.explain.whereabouts import Letter, whereabouts
from watchbot.sqs.message import timestamp

_FIGURES = {
    "duration_s": "{:.3f} s",
    "cpu_s": "{:.3f} s of CPU",
    "memory_mb": "{:.1f} MB of memory",
}  # and how a person reads them


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is known of a message. `tasks` has what the record says, by the source of a try.

    `unasked` says which sources could not be asked, and why.
    """

    message_id: str
    tries: Sequence[Try]
    letter: Letter | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)
    unasked: Sequence[str] = ()


def page(known: Known) -> str:
    """The page for a person."""
    lines = [f"message {known.message_id}"]
    if known.letter is not None and known.letter.sent_ms is not None:
        lines.append(f"  sent      {timestamp(known.letter.sent_ms)}")
    for number, each in enumerate(known.tries, 1):
        lines += [f"try {number}", *(f"  {line}" for line in _of_try(each, known.tasks))]
    if known.letter is not None and known.letter.evidence and known.letter.evidence.tail:
        lines.append("last output in the dead letter")
        lines += [f"  | {line}" for line in known.letter.evidence.tail.splitlines()[-10:]]
    lines.append(f"now  {whereabouts(known.tries, known.letter)}")
    lines += [f"not asked: {reason}" for reason in known.unasked]
    return "".join(f"{visible(line)}\n" for line in lines)


def as_json(known: Known) -> str:
    """One line of JSON: `id`, `tries`, `letter`, `now`, `unasked`."""
    letter = known.letter
    evidence = letter.evidence if letter else None
    facts = {
        "id": known.message_id,
        "tries": [_json_of(each, known.tasks) for each in known.tries],
        "letter": letter
        and {
            "queue": letter.queue,
            "id": letter.message.id,
            "reason": evidence.reason if evidence else None,
            "receives": evidence.receives if evidence else None,
            "tail": evidence.tail if evidence else None,
        },
        "now": whereabouts(known.tries, letter),
        "unasked": list(known.unasked),
    }
    return json.dumps(facts, ensure_ascii=False) + "\n"


def _of_try(each: Try, tasks: Mapping[str, str]) -> Iterator[str]:
    received = "not in this log" if each.received_at is None else _time(each.received_at)
    count = f", receive {each.receives}" if each.receives else ""
    yield f"received  {received}{count}"
    yield f"by        {each.source}"
    if each.source in tasks:
        yield f"its task  {tasks[each.source]}"
    for note in each.notes:
        yield f"note      {note}"
    for word in each.words:
        yield f"said      {word}"
    if each.ended_at is None or each.outcome is None:
        yield "ended     no line tells its end"
        return
    yield f"ended     {_time(each.ended_at)}, {each.outcome}: {each.facts.get('ending', 'unknown')}"
    known = {name: _number(each.facts.get(name)) for name in _FIGURES}
    if used := [_FIGURES[name].format(n) for name, n in known.items() if n is not None]:
        yield f"used      {', '.join(used)}"


def _json_of(each: Try, tasks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "received": None if each.received_at is None else _time(each.received_at),
        "receives": _number(each.receives),
        "by": each.source,
        "task": tasks.get(each.source),
        "ended": None if each.ended_at is None else _time(each.ended_at),
        "outcome": each.outcome,
        "ending": each.facts.get("ending"),
        **{name: _number(each.facts.get(name)) for name in _FIGURES},
        "notes": each.notes,
        "said": list(each.words),
    }


def _time(seconds: float) -> str:
    return timestamp(int(seconds * 1000))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
