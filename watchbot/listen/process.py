"""Runs a worker: start, output, exit, and the end of every process that it has started.

On Linux the event loop watches a pidfd and our own pipes, which is faster (measured in
docs/explanation/performance.md). On other systems a thread waits for the process. A worker is over
when its process has ended, not when its pipes close: a grandchild may hold the pipes for ever.
"""

import asyncio
import contextlib
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import anyio

from watchbot.listen import spawn
from watchbot.listen.account import Account
from watchbot.listen.care import Care, Ending, StillRunning, why
from watchbot.listen.orphans import is_immortal, kill, orphans, with_descendants
from watchbot.listen.output import Stream
from watchbot.listen.spawn import SpawnError, Start

# Apple has no pidfd, and its posix_spawn cannot start a session.
FAST = hasattr(os, "pidfd_open")
READ_BYTES = 65_536
PIPE_BYTES = 1_048_576  # the most that a pipe can hold at the exit; later bytes are not read
QUIET_S = 0.1  # after the exit, this long without a byte means that the output has ended
DRAIN_S = 1.0  # after the exit, the longest wait for output
STUCK_S = 4.0  # after SIGKILL: a longer wait means that the process hangs in the kernel
LOOK_S = 0.02  # a poll interval: the kernel does not announce the end of orphans

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Takes the output of a process."""

    @property
    def full(self) -> bool:
        """Whether the caller should stop to feed until `when_room` calls back."""

    def feed(self, stream: Stream, data: bytes) -> None:
        """Takes the next bytes of a stream."""

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once, when `full` is false again."""


class Alive(Protocol):
    """A process that runs."""

    @property
    def pid(self) -> int:
        """Its number, which is that of its group and session."""

    def catch_up(self) -> None:
        """Has the listener hear all that it has printed so far."""


async def run(
    start: Start,
    listener: Listener,
    care: Care,
    begun: Callable[[Alive], bool] = lambda _: True,
    *,
    fast: bool = FAST,
) -> Ending:
    """Runs a command to its end, and kills every process that the command left running.

    Feeds the output to `listener` as it comes. While `listener` is full, the command blocks on its
    pipe. When cancelled, sends SIGTERM to the process group, and SIGKILL if a process still runs
    when `care.grace` returns. Waits until `care.patience` returns for processes that it cannot end,
    as they run as another user. Calls `begun` right after the start, and kills the process if that
    returns False: the machine may have slept before the start, and the lease may be over.

    Raises `SpawnError` when the command cannot start, and `StillRunning` when a process outlasted
    the patience. `fast` is for tests of the way without a pidfd.
    """
    worker = _Worker(listener, care, fast=fast)
    try:
        worker.start(start)
    except OSError as error:
        worker.close()
        raise SpawnError(error) from error
    try:
        worker.watch()
        if not begun(worker):
            worker.kill()
        await worker.exited.wait()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await worker.end()
        raise
    finally:
        try:
            with anyio.CancelScope(shield=True):
                await worker.drain()
                await worker.outlast()
        finally:
            worker.close()
    return worker.ending


def end_orphans() -> None:
    """Kills the processes that ended workers have left, and reaps the dead."""
    orphans.look_now()
    for orphan in orphans.all():
        kill(orphan)


class _Worker:
    """One running process, its pipes, and how it ended."""

    def __init__(self, listener: Listener, care: Care, *, fast: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._care, self._fast = listener, care, fast
        self._pipes: dict[int, Stream] = {}
        self.exited = asyncio.Event()
        self._heard = asyncio.Event()  # output came, or a pipe closed
        self.pid, self._reaped, self._told_to_end = 0, False, False
        self._was_killed = False
        self._reminds_at = -math.inf
        self._pidfd: int | None = None
        self.ending = Ending(exit_code=None)
        self._account = Account()

    def start(self, start: Start) -> None:
        with contextlib.ExitStack() as files:
            source = spawn.standard_input(start.stdin)
            files.callback(os.close, source)
            stdout, stderr = self._pipe("stdout", files), self._pipe("stderr", files)
            places = [source, stdout, stderr]
            if start.channel is not None:
                places = [start.channel.stdin, stdout, stderr, start.channel.answers]
            start_by = spawn.by_posix if self._fast else spawn.by_subprocess
            self.pid = orphans.start(start_by, start, places)
            orphans.expect(self.pid, start.mark)

    def watch(self) -> None:
        """Follows the output and the end of the process; kills it if the machine refuses that."""
        self._account.follow(self.pid)
        try:
            self._follow()
        except (OSError, RuntimeError) as error:
            log.warning("worker killed: it cannot be followed", extra={"reason": str(error)})
            self.kill()
            self._reap()
            self._has_exited()

    async def drain(self) -> None:
        """Reads the rest of the output, kills the processes left, and notes the ending.

        Waits only while processes are left, for some seconds at most.
        """
        if self._pipes and self._read_all():
            # A process still holds a pipe: a `tee` about to end, or a grandchild that runs on.
            with anyio.move_on_after(DRAIN_S):
                while self._pipes and await self._heard_within(QUIET_S):
                    pass
        await orphans.look()
        left = {} if self._told_to_end else dict(with_descendants(orphans.of(self.pid)))
        self._kill_group(signal.SIGKILL)
        self._read_all()
        if self._pidfd is not None and self.exited.is_set():
            self._reap()
        # Daemons have left the group, and each may leave children of its own.
        with anyio.move_on_after(DRAIN_S):
            while self._kill_orphans():
                await anyio.sleep(0.005)
                await orphans.look()
        if killed := {number: name for number, name in left.items() if not is_immortal(number)}:
            self._care.killed(killed)

    async def end(self) -> None:
        """Sends SIGTERM to the group, and SIGKILL to the rest of it when the grace is over."""
        self._told_to_end = True
        self._account.look()
        self._kill_group(signal.SIGTERM)
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(self._leave, leaving.cancel_scope)
            await self._care.grace()
            leaving.cancel_scope.cancel()
        self._kill_group(signal.SIGKILL)
        if not any(map(is_immortal, self._alive())):
            with anyio.move_on_after(STUCK_S):
                await self.exited.wait()

    async def outlast(self) -> None:
        """Waits for processes that cannot be ended. Raises `StillRunning` if one outlasts that."""
        if not self._alive():
            return
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(self._leave, waiting.cancel_scope)
            await self._care.patience()
            waiting.cancel_scope.cancel()
        if self._pidfd is not None and self.exited.is_set():
            self._reap()
        if alive := self._alive():
            asked = self._told_to_end or not self.exited.is_set()
            raise StillRunning(alive, None if asked else self.ending)

    def kill(self) -> None:
        self._kill_group(signal.SIGKILL)

    def catch_up(self) -> None:
        self._read_all()

    def close(self) -> None:
        self._account.close()
        self._care.used(self._account.usage)
        for reader in list(self._pipes):
            self._hang_up(reader)
        waited_for_aside = self._pidfd is None
        if self._pidfd is not None:
            if not self.exited.is_set():
                self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        if self.pid:
            orphans.forget(self.pid, reaped=self._reaped or waited_for_aside)

    def _pipe(self, stream: Stream, files: contextlib.ExitStack) -> int:
        reader, writer = os.pipe()
        self._pipes[reader] = stream
        files.callback(os.close, writer)
        os.set_blocking(reader, False)
        return writer

    def _follow(self) -> None:
        if self._fast:
            # Without a free descriptor a thread waits instead: the process runs already.
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self.pid)
        if self._pidfd is None:
            threading.Thread(target=self._wait_in_thread, daemon=True).start()
        else:
            self._loop.add_reader(self._pidfd, self._has_exited)
        self._go_on()

    async def _leave(self, wait: anyio.CancelScope) -> None:
        """Cancels `wait` when no process is left; tells the care of those that cannot be ended."""
        while alive := self._alive():  # a shell may end before the program that it runs
            if stuck := [pid for pid in alive if is_immortal(pid) or self._was_killed]:
                self._remind(stuck)
            if self.exited.is_set():
                await anyio.sleep(LOOK_S)
            else:
                with anyio.move_on_after(self._care.remind_s):
                    await self.exited.wait()
            await orphans.look()
        wait.cancel()

    def _remind(self, stuck: Sequence[int]) -> None:
        if time.monotonic() >= self._reminds_at:
            self._reminds_at = time.monotonic() + self._care.remind_s
            self._care.still_runs(stuck, why(stuck))

    def _alive(self) -> list[int]:
        """The process itself, if it runs, and its known orphans."""
        return [*([] if self.exited.is_set() else [self.pid]), *orphans.of(self.pid)]

    def _kill_orphans(self) -> bool:
        """Whether the kernel allowed to kill at least one orphan."""
        return sum(kill(orphan) for orphan in orphans.of(self.pid)) > 0

    def _wait_in_thread(self) -> None:
        self._reap()
        with contextlib.suppress(RuntimeError):  # the event loop may be closed already
            self._loop.call_soon_threadsafe(self._has_exited)

    def _has_exited(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
        self.exited.set()

    def _reap(self) -> None:
        if self._reaped:
            return
        self._reaped = True
        try:
            _, status, waited = os.wait4(self.pid, 0)
        except ChildProcessError:  # other code of this process has reaped it
            return
        self.ending = self._account.end(status, waited)

    def _kill_group(self, number: signal.Signals) -> None:
        self._was_killed = self._was_killed or number == signal.SIGKILL
        # With a pidfd the leader is still a zombie here, so the kernel cannot reuse its number.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _go_on(self) -> None:
        for reader in self._pipes:
            self._loop.add_reader(reader, self._read, reader)

    def _pause(self) -> None:
        for reader in self._pipes:
            self._loop.remove_reader(reader)
        self._listener.when_room(self._go_on)

    def _read(self, reader: int) -> None:
        self._heard.set()
        try:
            data = os.read(reader, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._hang_up(reader)
            return
        self._listener.feed(self._pipes[reader], data)
        if self._listener.full:
            self._pause()

    def _read_all(self) -> bool:
        """Reads the bytes that the pipes hold now; returns whether a pipe is still open."""
        for reader in list(self._pipes):
            # A limit, because a grandchild may print faster than we read.
            for _ in range(PIPE_BYTES // READ_BYTES):
                try:
                    data = os.read(reader, READ_BYTES)
                except BlockingIOError:
                    break
                if not data:
                    self._hang_up(reader)
                    break
                self._listener.feed(self._pipes[reader], data)
        return bool(self._pipes)

    async def _heard_within(self, seconds: float) -> bool:
        self._heard.clear()
        with anyio.move_on_after(seconds):
            await self._heard.wait()
        return self._heard.is_set()

    def _hang_up(self, reader: int) -> None:
        self._loop.remove_reader(reader)
        del self._pipes[reader]
        os.close(reader)
