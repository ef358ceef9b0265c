"""Runs a worker: spawn, output, exit, and the end of everything it has started.

The fast way (Linux; measured in docs/explanation/performance.md): `posix_spawn`, which is a vfork,
pipes of our own, and a pidfd that the event loop watches. Elsewhere: `subprocess`, and a thread
that waits. A worker is over when its process is, not when its pipes close: a grandchild may hold
those for ever.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio

from watchbot.errors import CommandError
from watchbot.listen import orphans
from watchbot.listen.output import Stream

# Apple has no pidfd, and its posix_spawn cannot start a session.
FAST = hasattr(os, "pidfd_open")
READ_BYTES = 65_536
PIPE_BYTES = 1_048_576  # what a pipe holds at most; what comes after that was printed later
QUIET_S = 0.1  # after the exit: output has ended when nothing came for so long,
STUCK_S = 5.0  # after SIGKILL: it hangs in the kernel, on a dead disk; nobody can end it
DRAIN_S = 1.0  # and it has ended in any case after this
SHELL = "/bin/sh"
_SHELL_SYNTAX = frozenset(" \t\n|&;<>()$`\\\"'*?[]#~=%{}!")
# Python ignores these, and a worker that inherits that does not end when its reader does.
_TO_DEFAULT = [signal.SIGPIPE, signal.SIGXFSZ]
_MACHINES_FAULT = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that can be run: the file, and its words."""

    file: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process to be started: its command, all its variables, and its standard input.

    `mark` is one of the variables, as NAME=VALUE, that no other process has: what carries it
    belongs to this one.
    """

    command: Command
    environment: Mapping[bytes, bytes]
    stdin: bytes
    mark: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process ended: by an exit code, or by a signal."""

    exit_code: int | None
    signal: int | None = None

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit code {self.exit_code}"
        try:
            return f"signal {signal.Signals(self.signal).name}"
        except ValueError:  # a real-time signal has no name
            return f"signal {self.signal}"


class Listener(Protocol):
    """Who hears what a process prints."""

    @property
    def full(self) -> bool:
        """Whether it should be fed no more for now."""

    def feed(self, stream: Stream, data: bytes) -> None:
        """Takes the next bytes of a stream."""

    def when_room(self, callback: Callable[[], None]) -> None:
        """Calls back, once, when it is no longer full."""


class SpawnError(Exception):
    """The process could not be started."""

    def __init__(self, error: OSError) -> None:
        self.number = error.errno
        super().__init__(error.strerror or str(error))

    @property
    def too_big(self) -> bool:
        """The words and variables were too long for the system."""
        return self.number == errno.E2BIG

    @property
    def machines_fault(self) -> bool:
        """The machine ran out of something: no fault of this command, nor of its message."""
        return self.number in _MACHINES_FAULT


def resolve(words: Sequence[str], *, shell: bool) -> Command:
    """The command that these words of a command line mean.

    A single word with white space or shell syntax, and all words with `shell`, go to /bin/sh.
    Raises `CommandError` when there is no such file, or it may not be run.
    """
    if not words or not words[0]:
        raise CommandError("", "give a command to run, as in: watchbot listen ./work.sh")
    if shell or (len(words) == 1 and not _SHELL_SYNTAX.isdisjoint(words[0])):
        return Command(file=SHELL, words=(SHELL, "-c", " ".join(words)))
    file = shutil.which(words[0])
    if file is None:
        raise CommandError(words[0], _why_not(words[0]))
    return Command(file=os.path.abspath(file), words=tuple(words))


async def run(
    start: Start, listener: Listener, grace: Callable[[], Awaitable[None]], *, fast: bool = FAST
) -> Ending:
    """Runs the command to its end, and ends all that it started with it.

    `listener` is fed what it prints as it comes; while that is full, the process has to wait, as
    with any reader that is slower. Cancelled, it sends the group SIGTERM, and SIGKILL when
    `grace` has returned and some of it still runs. Raises `SpawnError` when it cannot start.
    `fast` is for tests of the other way.
    """
    worker = _Worker(listener, fast=fast)
    try:
        worker.start(start)
    except OSError as error:
        worker.close()
        raise SpawnError(error) from error
    try:
        await worker.exited.wait()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await worker.end(grace)
        raise
    finally:
        with anyio.CancelScope(shield=True):  # bounded by DRAIN_S
            await worker.drain()
        worker.close()
    return worker.ending


_running: set[int] = set()  # the processes started here that nobody has waited for yet


def end_orphans() -> None:
    """Ends what ended workers have left, and reaps the dead."""
    orphans.end_orphans(None, _running)


def reap_orphans() -> None:
    """Reaps what has died of the orphans."""
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
            source = _memory_file(start.stdin)
            files.callback(os.close, source)
            stdout, stderr = self._pipe("stdout", files), self._pipe("stderr", files)
            spawn = _spawn_by_posix if self._fast else _spawn_by_subprocess
            self._pid = spawn(start, (source, stdout, stderr))
            self._mark = start.mark
            _running.add(self._pid)
        self._watch()
        self._go_on()

    async def drain(self) -> None:
        """Takes the rest of the output, kills what is left of the group, notes the ending."""
        if self._pipes and self._read_all():
            # Something still holds a pipe: a `tee` about to end, or a grandchild that will not.
            with anyio.move_on_after(DRAIN_S):
                while self._pipes and await self._heard_within(QUIET_S):
                    pass
        self._kill_group(signal.SIGKILL)
        self._read_all()
        if self._pidfd is not None and self.exited.is_set():
            self._reap()
        if self._mark is not None:
            # Those that daemonised out of the group, too; each may leave children of its own.
            with anyio.move_on_after(DRAIN_S):
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

    def close(self) -> None:
        for reader in list(self._pipes):
            self._hang_up(reader)
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _pipe(self, stream: Stream, files: contextlib.ExitStack) -> int:
        reader, writer = os.pipe()
        self._pipes[reader] = stream
        files.callback(os.close, writer)
        os.set_blocking(reader, False)
        return writer

    def _watch(self) -> None:
        if not self._fast:
            threading.Thread(target=self._wait_in_thread, daemon=True).start()
            return
        try:
            self._pidfd = os.pidfd_open(self._pid)
        except OSError:
            self._kill_group(signal.SIGKILL)
            self._reap()
            raise
        self._loop.add_reader(self._pidfd, self._has_exited)

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
        _, status = os.waitpid(self._pid, 0)
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


def _spawn_by_posix(start: Start, files: tuple[int, int, int]) -> int:
    # No descriptor of ours leaks: Python opens all of them close-on-exec.
    return os.posix_spawn(
        start.command.file,
        start.command.words,
        start.environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, file, place) for place, file in enumerate(files)],
        setsid=True,
        setsigmask=(),
        setsigdef=_TO_DEFAULT,
    )


def _spawn_by_subprocess(start: Start, files: tuple[int, int, int]) -> int:
    stdin, stdout, stderr = files
    child = subprocess.Popen(
        start.command.words,
        executable=start.command.file,
        env=start.environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    child.returncode = 0  # we wait for it ourselves; Popen must not warn that nobody did
    return child.pid


def _memory_file(data: bytes) -> int:
    """A seekable file that holds `data`, at its start, on no disk where the system can do that."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("message", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as temporary:
            file = os.dup(temporary.fileno())
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.lseek(file, 0, os.SEEK_SET)
    except OSError:  # no space
        os.close(file)
        raise
    return file


def _why_not(word: str) -> str:
    if "/" not in word:
        return f"no such command on the PATH; give its path, or install {word!r} in the image"
    if not os.path.exists(word):
        return "no such file; check the path, and the working directory it starts from"
    if os.path.isdir(word):
        return "it is a directory"
    return f"it is not executable; mend it with: chmod +x {word}"
