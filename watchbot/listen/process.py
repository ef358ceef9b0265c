"""Runs a worker: start, output, exit, and the end of everything it has started.

The fast way (Linux; measured in docs/explanation/performance.md): pipes of our own, and a pidfd
that the event loop watches. Elsewhere: a thread that waits. A worker is over when its process is,
not when its pipes close: a grandchild may hold those for ever.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from watchbot.listen import orphans, spawn
from watchbot.listen.output import Stream
from watchbot.listen.spawn import SpawnError, Start

# Apple has no pidfd, and its posix_spawn cannot start a session.
FAST = hasattr(os, "pidfd_open")
READ_BYTES = 65_536
PIPE_BYTES = 1_048_576  # what a pipe holds at most; what comes after that was printed later
QUIET_S = 0.1  # after the exit: output has ended when nothing came for so long,
STUCK_S = 5.0  # after SIGKILL: it hangs in the kernel, on a dead disk; nobody can end it
DRAIN_S = 1.0  # and it has ended in any case after this
REAP_S = 5  # how long a dead orphan stays a zombie at most


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process ended: by an exit code, or by a signal; neither if nobody could see it."""

    exit_code: int | None
    signal: int | None = None

    @property
    def signal_name(self) -> str | None:
        """The signal as SIGKILL or, where it has no name, as its number; None without one."""
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:  # a real-time signal
            return str(self.signal)

    def __str__(self) -> str:
        if self.signal is not None:
            return f"signal {self.signal_name}"
        return "unseen end" if self.exit_code is None else f"exit code {self.exit_code}"


class Listener(Protocol):
    """Who hears what a process prints."""

    @property
    def full(self) -> bool:
        """Whether it should be fed no more for now."""

    def feed(self, stream: Stream, data: bytes) -> None:
        """Takes the next bytes of a stream."""

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls back, once, when it is no longer full."""


async def run(
    start: Start,
    listener: Listener,
    grace: Callable[[], Awaitable[None]],
    wanted: Callable[[], bool] = lambda: True,
    *,
    fast: bool = FAST,
) -> Ending:
    """Runs the command to its end, and ends all that it started with it.

    `listener` is fed what it prints as it comes; while that is full, the process has to wait, as
    with any reader that is slower. Cancelled, it sends the group SIGTERM, and SIGKILL when
    `grace` has returned and some of it still runs. `wanted` is asked once it has started: if we
    stood still just before, it is too late, and it is killed before it has done anything. Raises
    `SpawnError` when it cannot start.
    `fast` is for tests of the other way.
    """
    worker = _Worker(listener, fast=fast)
    try:
        worker.start(start)
    except OSError as error:
        worker.close()
        raise SpawnError(error) from error
    try:
        worker.watch()
        if not wanted():
            worker.kill()
        await worker.exited.wait()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await worker.end(grace)
        raise
    finally:
        await worker.drain()
        worker.close()
    return worker.ending


_running: set[int] = set()  # the processes started here that nobody has waited for yet


def end_orphans() -> None:
    """Ends what ended workers have left, and reaps the dead."""
    orphans.end_orphans(None, _running)


async def reap_for_ever() -> None:
    """Reaps what has died of the orphans, now and then."""
    while True:
        await anyio.sleep(REAP_S)
        orphans.reap_orphans(_running)


class _Worker:
    """One running process, its pipes, and how it ended."""

    def __init__(self, listener: Listener, *, fast: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._fast = listener, fast
        self._pipes: dict[int, Stream] = {}
        self.exited = asyncio.Event()
        self._heard = asyncio.Event()  # output came, or a pipe closed
        self._pid, self._began = 0, time.monotonic()
        self._mark: bytes | None = None
        self._pidfd: int | None = None
        self.ending = Ending(exit_code=None)

    def start(self, start: Start) -> None:
        with contextlib.ExitStack() as files:
            source = spawn.memory_file(start.stdin)
            files.callback(os.close, source)
            stdout, stderr = self._pipe("stdout", files), self._pipe("stderr", files)
            start_by = spawn.by_posix if self._fast else spawn.by_subprocess
            self._pid = start_by(start, (source, stdout, stderr))
            self._mark = start.mark
            _running.add(self._pid)

    def watch(self) -> None:
        """Follows its output, and its end; kills it if the machine does not let us."""
        try:
            self._follow()
        except (OSError, RuntimeError) as error:
            log.warning("worker killed: it cannot be followed", extra={"reason": str(error)})
            self.kill()
            self._reap()
            self._has_exited()

    async def drain(self) -> None:
        """Takes the rest of the output, kills what is left of the group, notes the ending.

        Waits only where something is left, for DRAIN_S at most, cancelled or not.
        """
        if self._pipes and self._read_all():
            # Something still holds a pipe: a `tee` about to end, or a grandchild that will not.
            with anyio.move_on_after(DRAIN_S, shield=True):
                while self._pipes and await self._heard_within(QUIET_S):
                    pass
        self._kill_group(signal.SIGKILL)
        self._read_all()
        if self._pidfd is not None and self.exited.is_set():
            self._reap()
        # Those that daemonised out of the group, too; each may leave children of its own.
        if self._mark is not None and orphans.end_orphans(self._mark, _running):
            with anyio.move_on_after(DRAIN_S, shield=True):
                while orphans.end_orphans(self._mark, _running):
                    await anyio.sleep(0.005)

    async def end(self, grace: Callable[[], Awaitable[None]]) -> None:
        """SIGTERM to the group; SIGKILL to what is left of it when `grace` has returned."""
        self._kill_group(signal.SIGTERM)
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(self._leave, leaving.cancel_scope)
            await grace()
            leaving.cancel_scope.cancel()
        self._kill_group(signal.SIGKILL)
        with anyio.move_on_after(STUCK_S):
            await self.exited.wait()

    def kill(self) -> None:
        self._kill_group(signal.SIGKILL)

    def close(self) -> None:
        for reader in list(self._pipes):
            self._hang_up(reader)
        if self._pidfd is not None:
            if not self.exited.is_set():
                self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _pipe(self, stream: Stream, files: contextlib.ExitStack) -> int:
        reader, writer = os.pipe()
        self._pipes[reader] = stream
        files.callback(os.close, writer)
        os.set_blocking(reader, False)
        return writer

    def _follow(self) -> None:
        if self._fast:
            # No descriptor is left: it runs already, and a thread needs none.
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self._pid)
        if self._pidfd is None:
            threading.Thread(target=self._wait_in_thread, daemon=True).start()
        else:
            self._loop.add_reader(self._pidfd, self._has_exited)
        self._go_on()

    async def _leave(self, grace: anyio.CancelScope) -> None:
        await self.exited.wait()
        while orphans.is_alive(
            self._pid, self._began
        ):  # a shell ends at once, what it runs may not
            await anyio.sleep(0.02)  # the kernel announces no such end
        grace.cancel()

    def _wait_in_thread(self) -> None:
        self._reap()
        with contextlib.suppress(RuntimeError):  # the loop may be gone by then
            self._loop.call_soon_threadsafe(self._has_exited)

    def _has_exited(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
        self.exited.set()

    def _reap(self) -> None:
        try:
            _, status = os.waitpid(self._pid, 0)
        except ChildProcessError:  # somebody else in this process has waited for it
            return
        finally:
            _running.discard(self._pid)
        code = os.waitstatus_to_exitcode(status)
        self.ending = Ending(exit_code=code) if code >= 0 else Ending(exit_code=None, signal=-code)

    def _kill_group(self, number: signal.Signals) -> None:
        # With a pidfd the leader is still a zombie here, so its number cannot be another's yet.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)

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
        """Reads what the pipes hold now; whether one is still open then."""
        for reader in list(self._pipes):
            # Not for ever: a grandchild may print faster than we read.
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
