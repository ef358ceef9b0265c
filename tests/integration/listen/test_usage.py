"""What a run used, by the kernel's own account of real processes."""

import resource
import sys
from pathlib import Path

import pytest

from tests.support.handing import a_queue, worked_off
from tests.support.processes import Heard, Watched, a_start
from watchbot.listen import process
from watchbot.listen.usage import Usage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")

MB = 1_000_000
HOLD = f"{sys.executable} -S -c 'import time; held = b\"x\" * {{bytes}}; time.sleep({{seconds}})'"
BURN = f"{sys.executable} -S -c 'import time\nwhile time.process_time() < 0.3: pass'"


async def used(script: str, *, fast: bool = process.FAST) -> Usage:
    care = Watched()
    await process.run(a_start(script), Heard(), care, fast=fast)
    return care.usage


def hold(*, bytes: int, seconds: float) -> str:
    return HOLD.format(bytes=bytes, seconds=seconds)


@pytest.mark.parametrize("fast", [True, False])
async def test_cpu_of_children_counts(*, fast: bool) -> None:
    usage = await used(f"{BURN}; exit 0", fast=fast)

    assert usage.cpu_s is not None
    assert usage.cpu_s >= 0.3


async def test_memory_of_the_watcher_is_not_taken_for_that_of_its_worker() -> None:
    ours = bytearray(300 * MB)

    usage = await used("exec /bin/true")

    assert len(ours) == 300 * MB
    assert usage.memory_bytes is None


async def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    both = "import os, sys, time; held = b'x' * 60_000_000; open(sys.argv[1], 'w').close()\n"
    both += "while len(os.listdir('.')) < 2: time.sleep(0.01)\ntime.sleep(1.2)"
    each = f'{sys.executable} -S -c "{both}"'

    usage = await used(f"cd {tmp_path}; {each} a & {each} b; wait")

    assert usage.memory_bytes is not None
    assert 120 * MB < usage.memory_bytes < 240 * MB


async def test_much_memory_is_known_though_no_look_has_seen_it() -> None:
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # what is below it is unknown
    much = max(900 * MB, ours + 100 * MB)

    usage = await used(hold(bytes=much, seconds=0))

    assert usage.memory_bytes is not None
    assert usage.memory_bytes > much


async def test_worker_that_is_told_to_end_is_looked_at_before() -> None:
    ends = await worked_off(
        a_queue("a"), hold(bytes=90 * MB, seconds=60), max_job_duration=1, kill_grace=0
    )

    assert ends.reports[0].how == "ran over 1 s"
    assert ends.reports[0].usage.memory_bytes is not None
    assert ends.reports[0].usage.memory_bytes > 90 * MB


WORKER = f"""
exec {sys.executable} -S -c '
import os, sys, time
for line in sys.stdin:
    big = "big" in line
    held = b"x" * (80 * {MB} if big else 1)
    end = time.process_time() + (0.3 if big else 0)
    while time.process_time() < end: pass
    if big or "long" in line: time.sleep(0.3)
    del held
    os.write(3, b"0\\n")
'"""


async def test_run_of_a_warm_worker_has_its_own_figures() -> None:
    ends = await worked_off(a_queue("big", "long", "short"), WORKER, warm="lines")

    big, long, short = (report.usage for report in ends.reports)
    assert (big.cpu_s or 0) >= 0.3
    for other in (long, short):
        assert other.cpu_s is not None
        assert other.cpu_s < 0.2
    assert (big.memory_bytes or 0) > 80 * MB
    assert 0 < (long.memory_bytes or 0) < 80 * MB  # the kernel began its peak anew
    assert short.memory_bytes is None


async def test_batch_has_the_figures_of_its_process() -> None:
    ends = await worked_off(
        a_queue("a", "b"), f"{BURN}; exit 1", batch_size=2, batch_window=5, concurrency=1
    )

    assert [report.usage.cpu_s is not None for report in ends.reports] == [True, True]
    assert all((report.usage.cpu_s or 0) >= 0.3 for report in ends.reports)


async def test_children_of_a_warm_worker_count_in_their_own_runs() -> None:
    burn = f"{sys.executable} -S -c 'while __import__(\"time\").process_time() < 0.2: pass'"
    script = f"while read -r m; do case $m in *busy*) {burn} ;; esac; echo 1 >&3; done"

    ends = await worked_off(a_queue("busy", "idle", "busy too"), script, warm="lines")

    seconds = [report.usage.cpu_s or 0 for report in ends.reports]
    assert [used > 0.1 for used in seconds] == [True, False, True]
