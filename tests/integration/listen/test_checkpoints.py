"""Runs that go on where the last one of their message ended, with real processes."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.handing import Ends, a_queue, left, worked_off
from watchbot.lifecycle import Stop
from watchbot.listen.ends import EARLY
from watchbot.listen.report import Report
from watchbot.outcome import COMPLETED, FAILED, REJECTED, RELEASED, RETURNED
from watchbot.sqs.evidence import carried, original

CTL = f"{sys.executable} -m watchbot ctl"
COUNTS = f"""
    done=$(cat "${{WATCHBOT_CHECKPOINT:-/dev/null}}")
    echo "had: $done"
    echo "$done$Message" | {CTL} checkpoint || exit 7
    [ ${{#done}} -ge 2 ] || exit 4
"""
LINES = """
import watchbot
from watchbot import control
def work(message):
    done = message.checkpoint.read_bytes() if message.checkpoint else b""
    assert control.resume(message.id) == (done or None)
    print("had:", done.decode(), flush=True)
    control.checkpoint(done + message.body.encode(), message.id)
    if len(done) < 2:
        raise watchbot.Return(after=0)
watchbot.work(work)
"""


def options(folder: Path, **more: Any) -> dict[str, Any]:
    """A watcher that keeps checkpoints in a folder, and tries again at once."""
    return {"checkpoints": f"file://{folder}", "max_backoff": 0, "exit_wait": 5, **more}


def had(reports: list[Report]) -> list[str]:
    return [each.tail.partition("had: ")[2].partition("\n")[0].strip() for each in reports]


async def test_each_run_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    ends = await worked_off(a_queue("a"), COUNTS, **options(tmp_path))

    assert had(ends.reports) == ["", "a", "aa"]
    assert [each.outcome for each in ends.reports] == [RETURNED, RETURNED, COMPLETED]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("way", [{"warm": "lines"}, {"batch_size": 2}], ids=["warm", "batch"])
async def test_workers_that_are_handed_messages_go_on_as_well(
    tmp_path: Path, way: dict[str, Any]
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "work.py").write_text(LINES)
    words = [sys.executable, str(tmp_path / "work.py")]

    ends = await worked_off(a_queue("a", "b"), words, **options(tmp_path / "kept", **way))

    for body in "ab":
        reports = [each for each in ends.reports if each.message.body == body]
        assert had(reports) == ["", body, body + body]
    assert os.listdir(tmp_path / "kept") == []


async def test_rejected_message_leaves_no_checkpoint(tmp_path: Path) -> None:
    ends = await worked_off(a_queue("a"), f"echo x | {CTL} checkpoint; exit 3", **options(tmp_path))

    assert ends.outcomes == [("a", REJECTED)]
    assert os.listdir(tmp_path) == []


async def test_replay_of_a_dead_letter_goes_on_from_the_first_message(tmp_path: Path) -> None:
    queue = a_queue("a")
    first = await worked_off(queue, f"echo x | {CTL} checkpoint; exit 1", **options(tmp_path) | {
        "exit_wait": 0, "max_backoff": 1000})  # fmt: skip
    assert first.outcomes == [("a", FAILED)]
    replay = a_queue()
    replay.send("b", attributes=carried(original(first.reports[0].message)))

    ends = await worked_off(
        replay, 'echo "had: $(cat "$WATCHBOT_CHECKPOINT")"', **options(tmp_path)
    )

    assert had(ends.reports) == ["x"]
    assert os.listdir(tmp_path) == []


async def test_run_goes_on_though_its_checkpoint_cannot_be_stored(
    tmp_path: Path, caplog: Any
) -> None:
    caplog.set_level(logging.WARNING)
    script = f"rm -rf {tmp_path}/store; {CTL} checkpoint {__file__}; echo goes on"
    (tmp_path / "store").mkdir()

    ends = await worked_off(a_queue("a"), script, **options(tmp_path / "store"))

    refusal, goes_on = ends.tail("a").splitlines()
    assert refusal == "watchbot ctl: the store of checkpoints does not take it now"
    assert (goes_on, ends.outcomes) == ("goes on", [("a", COMPLETED)])
    (said,) = [each for each in caplog.records if "checkpoint" in each.getMessage()]
    assert said.getMessage() == "checkpoint not saved"
    assert said.message_id == ends.reports[0].message.id


async def test_run_goes_on_though_its_checkpoint_cannot_be_read(
    tmp_path: Path, caplog: Any
) -> None:
    caplog.set_level(logging.WARNING)
    script = f"""
        [ "$ApproximateReceiveCount" = 1 ] || {{ echo "${{WATCHBOT_CHECKPOINT-none}}"; exit 0; }}
        echo x | {CTL} checkpoint
        cd {tmp_path}; file=$(ls); rm "$file"; mkdir "$file"; exit 4"""

    ends = await worked_off(a_queue("a"), script, **options(tmp_path))

    assert [each.outcome for each in ends.reports] == [RETURNED, COMPLETED]
    assert ends.reports[-1].tail == "none\n"
    said = [each.getMessage() for each in caplog.records if "checkpoint" in each.getMessage()]
    assert said == ["checkpoint not loaded", "checkpoint not deleted"]


async def test_checkpoint_that_is_too_large_is_refused_in_words(tmp_path: Path) -> None:
    script = f"head -c 262145 /dev/zero | {CTL} checkpoint; echo $? >&2"

    ends = await worked_off(a_queue("a"), script, **options(tmp_path))

    assert ends.tail("a") == (
        "watchbot ctl: a checkpoint has at most 262,144 bytes, and - has more\n2\n"
    )


async def test_run_that_cannot_end_in_the_drain_stores_its_checkpoint_at_once(
    tmp_path: Path, caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    stop, known = Stop(), 20
    queue = a_queue(*[f"quick {number}" for number in range(known)])
    script = f"""
        trap 'echo half | {CTL} checkpoint; exit' TERM
        case $Message in
            quick*) sleep 3 ;;
            *) touch {tmp_path}/begun; sleep 600 & wait ;;
        esac"""
    kept = tmp_path / "kept"
    kept.mkdir()
    ends = Ends()

    async def work() -> None:
        facts = options(kept, stop=stop, exit_when_empty=False, drain_timeout=1.5)
        ends.reports += (await worked_off(queue, script, concurrency=known, **facts)).reports

    async with anyio.create_task_group() as working:
        working.start_soon(work)
        while await left(queue):
            await anyio.sleep(0.02)  # a queue announces nothing
        queue.send("long")
        while "begun" not in os.listdir(tmp_path):
            await anyio.sleep(0.02)  # nor does a file
        stop.ask()

    (long,) = [each for each in ends.reports if each.message.body == "long"]
    assert (long.outcome, long.how) == (RELEASED, EARLY)
    assert len(os.listdir(kept)) == 1
    said = [each for each in caplog.records if each.getMessage().startswith("ended early")]
    assert said[-1].getMessage() == "ended early, and stored a checkpoint"
