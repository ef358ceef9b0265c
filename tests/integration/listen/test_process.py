"""Real processes: how they start, print and end, and that they leave nothing behind."""

import os
import resource
import signal
import time
from functools import partial
from pathlib import Path

import anyio
import pytest

from tests.support.processes import Heard, Watched, a_start, gone
from watchbot.errors import UsageError
from watchbot.listen import process, spawn
from watchbot.listen.care import Ending
from watchbot.listen.orphans import orphans
from watchbot.listen.spawn import SpawnError

both_ways = pytest.mark.parametrize("fast", [True, False], ids=["posix_spawn", "subprocess"])


@both_ways
async def test_process_gets_input_and_variables_and_both_streams_are_heard(fast: bool) -> None:
    heard = Heard()
    start = a_start('cat; echo "$X" >&2; exit 7', stdin=b"in\0put", X=b"caf\xc3\xa9")

    ending = await process.run(start, heard, Watched(), fast=fast)

    assert ending == Ending(exit_code=7)
    assert (heard.stdout, heard.stderr) == (b"in\0put", b"caf\xc3\xa9\n")


@both_ways
async def test_end_by_a_signal_is_no_exit_code(fast: bool) -> None:
    ending = await process.run(a_start("kill -TERM $$"), Heard(), Watched(), fast=fast)

    assert ending == Ending(exit_code=None, signal=15)
    assert str(ending) == "signal SIGTERM"


@both_ways
async def test_worker_is_a_session_of_its_own_with_default_signals(fast: bool) -> None:
    heard = Heard()

    await process.run(
        a_start("cut -d' ' -f5,6 /proc/self/stat; echo $$; grep SigIgn /proc/self/status"),
        heard,
        Watched(),
        fast=fast,
    )

    group, session, leader, _, ignored = heard.stdout.split()
    assert group == session == leader
    assert not int(ignored, 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


@both_ways
async def test_no_descriptor_of_ours_reaches_the_worker(fast: bool, tmp_path: Path) -> None:
    heard = Heard()
    reader, writer = os.pipe()
    with (tmp_path / "open").open("w") as file:
        ours = {os.readlink(f"/proc/self/fd/{number}") for number in (reader, file.fileno())}
        await process.run(a_start("ls -l /proc/self/fd"), heard, Watched(), fast=fast)
    os.close(reader)
    os.close(writer)

    assert heard.stdout
    assert not [name for name in ours if name.encode() in heard.stdout]


@both_ways
async def test_output_of_a_megabyte_is_whole(fast: bool) -> None:
    heard = Heard()

    await process.run(a_start("head -c 1000000 /dev/zero"), heard, Watched(), fast=fast)

    assert heard.stdout == bytes(1_000_000)


@both_ways
async def test_grandchild_with_our_pipe_neither_delays_the_end_nor_survives(fast: bool) -> None:
    heard, began = Heard(), time.monotonic()

    ending = await process.run(a_start("sleep 60 & echo $!; exit 0"), heard, Watched(), fast=fast)

    assert ending == Ending(exit_code=0)
    assert time.monotonic() - began < 30  # not the minute that the grandchild would take
    assert await gone(int(heard.stdout))


@both_ways
async def test_grandchild_that_prints_for_ever_neither_delays_the_end_nor_survives(
    fast: bool,
) -> None:
    heard = Heard()

    with anyio.fail_after(30):
        ending = await process.run(a_start("echo $$; yes & exit 0"), heard, Watched(), fast=fast)

    assert ending == Ending(exit_code=0)
    assert await gone(int(heard.stdout.split(b"\n", 1)[0]))


@both_ways
async def test_what_is_left_in_the_background_is_named(fast: bool) -> None:
    heard, care = Heard(), Watched()
    script = "sleep 60 & echo $!; setsid sleep 61 & echo $!; sleep 0.2"

    await process.run(a_start(script), heard, care, fast=fast)

    in_group, out_of_it = (int(pid) for pid in heard.stdout.split())
    assert care.left == {in_group: "sleep", out_of_it: "sleep"}
    assert all([await gone(pid) for pid in care.left])


@both_ways
async def test_end_of_a_worker_looks_at_none_that_run_beside(fast: bool) -> None:
    async with anyio.create_task_group() as others:
        running = [Heard() for _ in range(30)]
        for heard in running:
            start = a_start("echo up; exec sleep 60")
            others.start_soon(partial(process.run, start, heard, Watched(), fast=fast))
        while not all(heard.stdout for heard in running):
            await anyio.sleep(0.01)  # output announces nothing
        earlier = orphans.seen
        orphans.look_now()
        before = orphans.seen
        of_tests = before - earlier  # servers that other tests have started in this process
        for _ in range(10):
            await process.run(a_start("exit 0"), Heard(), Watched(), fast=fast)
        nothing_left = orphans.seen - before
        await process.run(a_start("sleep 60 & exit 0"), Heard(), Watched(), fast=fast)
        others.cancel_scope.cancel()

    assert of_tests < len(running)
    assert nothing_left <= of_tests * 10  # one look a run
    assert orphans.seen > before


@both_ways
async def test_process_waits_while_nobody_hears_it(fast: bool, tmp_path: Path) -> None:
    heard = Heard(most=1)
    script = f"head -c 1000000 /dev/zero; touch {tmp_path}/printed"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: process.run(a_start(script), heard, Watched(), fast=fast))
        while not heard.full:
            await anyio.sleep(0.01)  # a full sink announces nothing
        await anyio.sleep(0.2)  # time for output that must not come
        heard_before, printed_before = len(heard.stdout), (tmp_path / "printed").exists()
        heard.make_room()

    assert heard_before <= 2 * process.READ_BYTES
    assert not printed_before
    assert heard.stdout == bytes(1_000_000)


async def test_last_words_through_a_tee_are_heard() -> None:
    heard = Heard()
    script = "exec bash -c 'exec > >(sleep 0.05; cat) 2>&1; echo last words'"

    await process.run(a_start(script), heard, Watched())

    assert heard.stdout == b"last words\n"


@both_ways
async def test_cancelled_worker_may_end_by_itself(fast: bool, tmp_path: Path) -> None:
    heard = Heard()
    script = f"trap 'echo bye; touch {tmp_path}/saved; exit 0' TERM; echo up; sleep 60 & wait"

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: process.run(a_start(script), heard, Watched(30), fast=fast))
            while not heard.stdout:
                await anyio.sleep(0.01)  # output announces nothing
            scope.cancel()

    assert heard.stdout == b"up\nbye\n"
    assert (tmp_path / "saved").exists()


@both_ways
async def test_process_that_is_wanted_no_more_is_killed_at_once(fast: bool) -> None:
    heard = Heard()

    ending = await process.run(
        a_start("sleep 1; echo late"), heard, Watched(), lambda _: False, fast=fast
    )

    assert (ending.signal, heard.stdout) == (signal.SIGKILL, b"")


@both_ways
async def test_worker_that_ignores_sigterm_is_killed_with_all_its_group(fast: bool) -> None:
    heard = Heard()
    script = "trap '' TERM; sleep 60 & echo $$ $!; while :; do sleep 1; done"

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: process.run(a_start(script), heard, Watched(), fast=fast))
            while not heard.stdout:
                await anyio.sleep(0.01)  # output announces nothing
            scope.cancel()

    for pid in heard.stdout.split():
        assert await gone(int(pid))


async def test_child_of_a_shell_gets_the_grace_too(tmp_path: Path) -> None:
    heard = Heard()
    inner = f"trap 'sleep 0.2; touch {tmp_path}/saved; exit' TERM; echo up; sleep 60 & wait"
    script = f'sh -c "{inner}"; echo never'  # the shell dies of SIGTERM at once, its child not

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: process.run(a_start(script), heard, Watched(30)))
            while not heard.stdout:
                await anyio.sleep(0.01)  # output announces nothing
            scope.cancel()

    assert (tmp_path / "saved").exists()


@both_ways
async def test_end_that_nobody_can_see_is_no_failure_to_start(fast: bool) -> None:
    heard = Heard()
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel tells no ending then
    try:
        ending = await process.run(a_start("echo ran"), heard, Watched(), fast=fast)
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert heard.stdout == b"ran\n"
    assert ending == Ending(exit_code=None)
    assert str(ending) == "unseen end"


@both_ways
async def test_variables_too_long_for_the_system_say_so(fast: bool) -> None:
    start = a_start("true", X=b"x" * 200_000)

    with pytest.raises(SpawnError) as caught:
        await process.run(start, Heard(), Watched(), fast=fast)

    assert caught.value.too_big
    assert not caught.value.machines_fault


@both_ways
async def test_nothing_stays_open(fast: bool) -> None:
    async def once() -> None:
        await process.run(a_start("echo x"), Heard(), Watched(), fast=fast)

    await once()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        await once()

    assert len(os.listdir("/proc/self/fd")) == before


async def test_nothing_stays_open_when_the_message_cannot_be_written() -> None:
    before = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(SpawnError):
            await process.run(a_start("cat", stdin=bytes(100)), Heard(), Watched())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("words", "shell", "meant"),
    [
        (["echo $Message"], False, ("/bin/sh", "-c", "echo $Message")),
        (["echo"], False, ("echo",)),
        (["echo", "a b", "$x"], False, ("echo", "a b", "$x")),
        (["echo", "a", "|", "wc"], True, ("/bin/sh", "-c", "echo a | wc")),
        (["a=b"], False, ("/bin/sh", "-c", "a=b")),
    ],
)
def test_words_of_the_command(words: list[str], shell: bool, meant: tuple[str, ...]) -> None:
    assert spawn.resolve(words, shell=shell).words == meant


@pytest.mark.parametrize("words", [[], [""], ["no-such-command-here"], ["/etc/passwd"], ["/tmp"]])
def test_command_that_cannot_run_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        spawn.resolve(words, shell=False)
