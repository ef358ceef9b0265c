"""What workers ask of their watcher, with real processes: from shells, and on the socket itself."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.handing import Ends, a_queue, left, worked_off
from watchbot.outcome import COMPLETED, FAILED, REJECTED, RETURNED, TIMED_OUT

CTL = f"{sys.executable} -m watchbot ctl"
# A program that knows nothing of ours: what it is given as words goes to the socket, a line each.
ASK = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as talk:
    talk.connect(os.environ["WATCHBOT_CONTROL"])
    for line in sys.argv[1:]:
        talk.sendall(line.encode() + b"\\n")
        print(talk.recv(65536).decode(), end="", flush=True)
"""


@pytest.fixture
def ask(tmp_path: Path) -> str:
    """The command that sends its words to the socket, and prints the replies."""
    script = tmp_path / "ask.py"
    script.write_text(ASK)
    return f"{sys.executable} {script}"


def replies(ends: Ends, body: str = "a") -> list[dict[str, Any]]:
    return [json.loads(line) for line in ends.tail(body).splitlines()]


async def test_worker_says_when_its_message_comes_back_whatever_its_exit_code() -> None:
    queue = a_queue("4", "1")

    ends = await worked_off(queue, f'{CTL} retry-after 601.5; exit "$Message"')

    assert [report.pause_s for report in ends.reports] == [602, 602]
    assert [report.outcome for report in ends.reports] == [RETURNED, FAILED]


async def test_wish_is_cut_by_what_is_left_of_the_twelve_hours(ask: str) -> None:
    ends = await worked_off(
        a_queue("a"), f"""{ask} '{{"verb": "retry-after", "seconds": 1e9}}'; exit 4"""
    )

    (report,) = ends.reports
    (reply,) = replies(ends)
    assert 43_000 < report.pause_s <= 43_200
    assert reply["ok"]
    assert 43_000 < reply["seconds"] <= 43_200


@pytest.mark.parametrize("code", [0, 1, 4])
async def test_rejection_counts_more_than_the_exit_code(code: int) -> None:
    queue = a_queue("a")

    ends = await worked_off(queue, f"{CTL} reject no such tile; exit {code}")

    assert ends.outcomes == [("a", REJECTED)]
    assert ends.how("a") == "no such tile"
    assert await left(queue) == 0


async def test_rejection_does_not_count_where_the_run_is_ended() -> None:
    queue = a_queue("a")

    ends = await worked_off(
        queue, f"{CTL} reject; exec sleep 60", max_job_duration=1.5, kill_grace=1
    )

    assert ends.outcomes == [("a", TIMED_OUT)]
    assert await left(queue) == 1


async def test_progress_is_logged_as_a_share_and_in_words(caplog: Any) -> None:
    caplog.set_level(logging.INFO)

    ends = await worked_off(a_queue("a"), f'{CTL} progress 40% "4 of 10\nFAKE"; {CTL} progress 1')

    told = [each for each in caplog.records if each.getMessage() == "progress"]
    assert [each.fraction for each in told] == [0.4, 1]
    assert told[0].text == "4 of 10 FAKE"
    assert told[0].message_id == ends.reports[0].message.id


async def test_worker_learns_how_long_it_has_and_gets_more(ask: str) -> None:
    requests = ['{"verb": "deadline"}', '{"verb": "extend", "seconds": 100}']
    words = " ".join(f"'{each}'" for each in [*requests, '{"verb": "extend", "seconds": 1e9}'])

    ends = await worked_off(a_queue("a"), f"{ask} {words}", max_job_duration=50)

    seconds = [each["seconds"] for each in replies(ends)]
    assert 40 < seconds[0] <= 50
    assert 140 < seconds[1] <= 150
    assert 43_000 < seconds[2] < 43_200


async def test_run_that_was_extended_is_not_ended_at_its_first_deadline() -> None:
    script = f"{CTL} extend 30 > /dev/null; sleep 1.2"

    ends = await worked_off(a_queue("a"), script, max_job_duration=1.2)

    assert ends.outcomes == [("a", COMPLETED)]


async def test_socket_is_in_the_scratch_directory_and_for_this_user_alone() -> None:
    ends = await worked_off(
        a_queue("a"),
        'test -S "$WATCHBOT_CONTROL"; stat -c %a "$WATCHBOT_CONTROL"; '
        'dirname "$WATCHBOT_CONTROL"; echo "$WATCHBOT_SCRATCH"; ls "$WATCHBOT_SCRATCH"',
    )

    mode, folder, scratch = ends.tail("a").splitlines()
    assert (mode, folder) == ("600", scratch)
