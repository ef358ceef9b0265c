"""Runs `watchbot doctor`: collects the facts, checks them, prints the findings."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TextIO

from watchbot.doctor import machine, queues
from watchbot.doctor.collect import collect_all
from watchbot.doctor.facts import Facts, Finding, Level, error
from watchbot.errors import AwsError
from watchbot.settings.doctor import DoctorSettings

WORDS = {Level.OK: "ok", Level.WARNING: "warn", Level.ERROR: "FAIL"}


async def doctor(
    settings: DoctorSettings, *, as_json: bool = False, out: TextIO | None = None
) -> int:
    """Prints problems of the set-up and how to mend them; returns 1 if one is certain to do harm.

    Prints a line for each finding, or a JSON list of all. Changes nothing. Raises `AwsError` when
    the queue does not exist, and when AWS does not answer; with `as_json`, prints that as the only
    finding.
    """
    try:
        findings = examine_all(await collect_all(settings))
    except AwsError as refusal:
        if not as_json:
            raise
        what = f"{refusal.service} {refusal.operation} failed: {refusal.code}: {refusal.text}"
        findings = [error(what, refusal.hint)]
    lines = [_as_json(findings)] if as_json else [_as_text(finding) for finding in findings]
    (out or sys.stdout).write("\n".join(lines) + "\n")
    return 1 if any(finding.level is Level.ERROR for finding in findings) else 0


def examine_all(facts: Mapping[str, Facts]) -> list[Finding]:
    """The findings about all queues, which are by name.

    A finding that is the same for several queues, about the machine for one, is there once. Where
    the queues differ, the finding says which queue it is about.
    """
    found = [(name, finding) for name, each in facts.items() for finding in examine(each)]
    count = Counter(finding for _, finding in found)
    common = {finding for finding, times in count.items() if times == len(facts)}
    return list(
        dict.fromkeys(
            finding if finding in common else replace(finding, what=f"{name}: {finding.what}")
            for name, finding in found
        )
    )


def examine(facts: Facts) -> list[Finding]:
    """Runs every check on the facts; the findings are in the order of the tables."""
    return list(_findings(facts))


def _findings(facts: Facts) -> Iterator[Finding]:
    for check in (*queues.CHECKS, *machine.CHECKS):
        finding = check(facts)
        if finding is not None:
            yield finding


def _as_text(finding: Finding) -> str:
    fix = f"; {finding.fix}" if finding.fix else ""
    return f"{WORDS[finding.level]:<5} {finding.what}{fix}"


def _as_json(findings: Sequence[Finding]) -> str:
    return json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)
