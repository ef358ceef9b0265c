"""What the notes of two rounds mean, and what a seed decides."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from watchbot.chaos.bodies import Subject, subjects
from watchbot.chaos.findings import Seen, findings
from watchbot.chaos.plan import FAULTS, plans
from watchbot.chaos.report import page, passed
from watchbot.chaos.round import RunNote
from watchbot.settings.base import load
from watchbot.settings.chaos import ChaosSettings


def note(outcome: str = "completed", **more: Any) -> RunNote:
    facts = {"began": 0.0, "ended": 1.0, "how": "exit code 0", **more}
    return RunNote(outcome=outcome, **facts)


def seen(*disturbed: RunNote, calm: RunNote | None = None, **more: Any) -> Seen:
    facts = {"subjects": [Subject(1, "m1", "body")], "kill_grace_s": 2.0, **more}
    return Seen(calm={1: [calm or note()]}, disturbed={1: list(disturbed)}, **facts)


def level(of: Seen, question: str) -> str | None:
    return next((each.level for each in findings(of) if each.question.startswith(question)), None)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [(None, "note"), (("a\n", "a\n"), "ok"), (("a\n", "a\na\n"), "found")],
)
def test_running_twice_is_judged_by_the_effect(
    effects: tuple[str, str] | None, expected: str
) -> None:
    assert level(seen(note(), note(fault="twice"), effects=effects), "bears to run") == expected


@pytest.mark.parametrize(
    ("calm", "expected"), [("completed", "found"), ("rejected", "found"), ("failed", "ok")]
)
def test_message_that_is_never_done_is_stuck_if_it_was_done_undisturbed(
    calm: str, expected: str
) -> None:
    trial = seen(note("failed"), note("failed"), calm=note(calm))

    assert level(trial, "gets through") == expected


@pytest.mark.parametrize(
    ("grace_s", "expected"), [(None, None), (0.1, "ok"), (2.0, "found"), (2.5, "found")]
)
def test_worker_that_lasts_until_sigkill_ignores_sigterm(
    grace_s: float | None, expected: str | None
) -> None:
    trial = seen(note("released", fault="terminated", grace_s=grace_s), note())

    assert level(trial, "ends on SIGTERM") == expected


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (note("failed", how="exit code 1"), "ok"),
        (note("failed", how="signal SIGSEGV"), "found"),
        (note("failed", how="killed: out of memory"), "found"),
        (note("timed_out", how="ran over 60 s"), "found"),
    ],
)
def test_odd_message_may_be_refused_but_not_crash(ending: RunNote, expected: str) -> None:
    odd = [Subject(1, "m1", "x", "of 1 MiB")]

    assert level(seen(calm=ending, subjects=odd), "bears odd") == expected
    assert level(seen(calm=ending, subjects=odd, injected=True), "bears odd") == "found"


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (None, None),
        ((50_000_000, 55_000_000), "ok"),
        ((1_000_000, 9_000_000), "ok"),
        ((50_000_000, 90_000_000), "found"),
    ],
)
def test_leak_is_what_grows_by_a_fifth_and_10_mb(
    memory: tuple[int, int] | None, expected: str | None
) -> None:
    assert level(seen(note(), memory=memory), "keeps its memory") == expected


def test_processes_are_found_and_files_are_noted() -> None:
    trial = seen(note(), processes=Counter(sleep=2), files=(Counter(a=1), Counter(a=1, b=1)))

    assert level(trial, "leaves no process") == "found"
    assert level(trial, "leaves no file") == "note"


def test_report_shows_the_runs_of_a_stuck_message_and_no_control_character() -> None:
    trial = seen(
        note("failed", how="signal SIGKILL", fault="killed"),
        note("failed", how="exit code 1", last_words="\x1b[31mlocked"),
    )
    found = findings(trial)

    text = page(trial, found, 7)

    assert not passed(found)
    assert "chaos, seed 7: 1 messages, 2 disturbed runs\n     1 got SIGKILL" in text
    assert "run 1, 0.00 to 1.00 s, killed: failed (signal SIGKILL)\n" in text
    assert "failed (exit code 1); it said: \N{REPLACEMENT CHARACTER}[31mlocked\n" in text


def test_seed_decides_and_few_messages_meet_every_fault() -> None:
    settings = load(ChaosSettings, {"messages": 10})

    def planned(seed: int) -> list[Any]:
        chance = Random(seed)
        return plans(subjects(settings, chance), chance)

    assert planned(4) == planned(4) != planned(5)
    met = Counter(each.fault for each in planned(4))
    assert {fault: met[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 2)
    assert planned(4)[-1].fault == "late"
