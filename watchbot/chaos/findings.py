"""Says what the notes of two rounds mean: what was found, and the evidence."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from watchbot.chaos.bodies import Subject
from watchbot.chaos.round import RunNote

SHOWN = 5  # messages, and lines of a difference, that a finding shows
Level = Literal["found", "ok", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question about the command, its answer, and the evidence, in lines."""

    question: str
    level: Level
    answer: str
    evidence: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that a trial has seen. Of two values, the first is of the calm round.

    `effects` is None without `--check`. `memory` has the bytes of a warm worker, early and late.
    """

    subjects: Sequence[Subject]
    calm: Mapping[int, Sequence[RunNote]]
    disturbed: Mapping[int, Sequence[RunNote]]
    kill_grace_s: float
    effects: tuple[str, str] | None = None
    processes: Counter[str] = field(default_factory=Counter)
    files: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    injected: bool = False
    memory: tuple[int, int] | None = None
    leak_runs: int = 0


def findings(seen: Seen) -> list[Answered]:
    """The answers, in the order of a report."""
    return [found for question in _QUESTIONS if (found := question(seen)) is not None]


def _twice(seen: Seen) -> Answered | None:
    """Whether messages were done more than once, and what that did."""
    question = "bears to run twice for one message"
    more = [each for each in seen.subjects if _times_done(seen, each) > 1]
    cut = [each for each in seen.subjects if _was_cut(seen, each)]
    evidence = [line for each in (more + cut)[:SHOWN] for line in _timeline(seen, each)]
    what = f"{len(more)} messages were done more than once, {len(cut)} were cut short and run again"
    if seen.effects is None:
        answer = f"{what}; what that did is not known: name --check, which shows the effect"
        return Answered(question=question, level="note", answer=answer, evidence=evidence)
    calm, disturbed = seen.effects
    if calm == disturbed:
        answer = f"{what}; the effect is that of the calm round"
        return Answered(question=question, level="ok", answer=answer)
    answer = f"{what}; the effect is not that of the calm round"
    difference = _difference(calm, disturbed)
    return Answered(
        question=question, level="found", answer=answer, evidence=[*difference, *evidence]
    )


def _stuck(seen: Seen) -> Answered | None:
    """Whether messages that the calm round has done were never done in the other."""
    stuck = [
        each
        for each in seen.subjects
        if any(note.done for note in seen.calm.get(each.number, ()))
        and (notes := seen.disturbed.get(each.number))
        and not any(note.done for note in notes)
    ]
    question = "gets through after a disturbance"
    if not stuck:
        return Answered(question=question, level="ok", answer="each message was done in the end")
    evidence = [line for each in stuck[:SHOWN] for line in _timeline(seen, each)]
    answer = f"{len(stuck)} messages failed at every try after their disturbance"
    return Answered(question=question, level="found", answer=answer, evidence=evidence)


def _sigterm(seen: Seen) -> Answered | None:
    """Whether runs ended on SIGTERM, and did not wait for SIGKILL."""
    graces = [
        (note.grace_s, subject)
        for subject in seen.subjects
        for note in seen.disturbed.get(subject.number, ())
        if note.grace_s is not None
    ]
    if not graces:
        return None
    question = "ends on SIGTERM"
    ignored = [(grace, subject) for grace, subject in graces if grace >= seen.kill_grace_s]
    if not ignored:
        longest = max(grace for grace, _ in graces)
        answer = f"{len(graces)} times, within {longest:.2f} s"
        return Answered(question=question, level="ok", answer=answer)
    answer = (
        f"ignored {len(ignored)} of {len(graces)} times: SIGKILL came {seen.kill_grace_s:g} s later"
    )
    evidence = [subject.shown for _, subject in ignored[:SHOWN]]
    return Answered(question=question, level="found", answer=answer, evidence=evidence)


def _processes(seen: Seen) -> Answered | None:
    question = "leaves no process"
    if not seen.processes:
        return Answered(question=question, level="ok", answer="all ended with their run")
    count = sum(seen.processes.values())
    names = [f"{name}: {times} times" for name, times in seen.processes.most_common(SHOWN)]
    answer = f"{count} processes ran on, and were killed; others outlive a watcher that dies"
    return Answered(question=question, level="found", answer=answer, evidence=names)


def _files(seen: Seen) -> Answered | None:
    calm, disturbed = seen.files
    left = sorted((disturbed - calm).items())
    question = "leaves no file of a run that was cut short"
    if not left:
        return Answered(question=question, level="ok", answer="none that the calm round has not")
    evidence = [f"{name} ({count} more)" for name, count in left[:SHOWN]]
    answer = (
        f"{sum(count for _, count in left)} more than the calm round; $TMPDIR is emptied for you"
    )
    return Answered(question=question, level="note", answer=answer, evidence=evidence)


def _odd(seen: Seen) -> Answered | None:
    """How odd messages ended: a signal or a hang is a finding, a refusal is none."""
    notes = [
        (subject, seen.calm[subject.number][0])
        for subject in seen.subjects
        if subject.odd is not None and seen.calm.get(subject.number)
    ]
    if not notes:
        return None
    question = "bears odd messages"
    if seen.injected:
        answer = "it runs what is in a message: a sender has a shell in your container"
        return Answered(question=question, level="found", answer=answer)
    bad = [
        f"a message {subject.odd}: {note.how}"
        for subject, note in notes
        if note.outcome == "timed_out" or note.how.startswith(("signal", "killed"))
    ]
    if bad:
        return Answered(question=question, level="found", answer="crashed or hung", evidence=bad)
    ends = Counter(f"{note.outcome} ({note.how})" for _, note in notes)
    answer = ", ".join(f"{times} {end}" for end, times in ends.items())
    return Answered(question=question, level="ok", answer=answer)


def _memory(seen: Seen) -> Answered | None:
    if seen.memory is None:
        return None
    early, late = seen.memory
    question = f"keeps its memory over {seen.leak_runs:,} runs"
    grown = f"{early / 1e6:.1f} MB early, {late / 1e6:.1f} MB late"
    leaks = late > early * 1.2 and late - early > 10_000_000
    if not leaks:
        return Answered(question=question, level="ok", answer=grown)
    answer = f"{grown}; --recycle-after and --recycle-memory replace such a worker"
    return Answered(question=question, level="found", answer=answer)


_QUESTIONS: tuple[Callable[[Seen], Answered | None], ...] = (
    *(_twice, _stuck, _sigterm, _processes, _files, _odd, _memory),
)


def _times_done(seen: Seen, subject: Subject) -> int:
    return sum(note.done for note in seen.disturbed.get(subject.number, ()))


def _was_cut(seen: Seen, subject: Subject) -> bool:
    notes = seen.disturbed.get(subject.number, ())
    return any(note.fault in ("terminated", "killed") for note in notes)


def _timeline(seen: Seen, subject: Subject) -> Iterator[str]:
    yield subject.shown
    for number, note in enumerate(seen.disturbed.get(subject.number, ()), 1):
        fault = f", {note.fault}" if note.fault else ""
        said = f"; it said: {note.last_words}" if note.last_words and not note.done else ""
        times = f"{note.began:.2f} to {note.ended:.2f} s"
        yield f"  run {number}, {times}{fault}: {note.outcome} ({note.how}){said}"


def _difference(calm: str, disturbed: str) -> list[str]:
    lines = list(
        difflib.unified_diff(
            calm.splitlines(), disturbed.splitlines(), "calm", "disturbed", lineterm="", n=0
        )
    )
    rest = len(lines) - 2 - 4 * SHOWN
    return lines[: 2 + 4 * SHOWN] + ([f"… ({rest} more lines)"] if rest > 0 else [])
