"""Resolves a command line, starts its process in one of two ways, and explains failed starts.

Linux uses `posix_spawn`, which is a vfork and faster (measured in
docs/explanation/performance.md). Other systems use `subprocess`.
"""

import errno
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from watchbot.descriptors import as_found
from watchbot.errors import CommandError, UsageError
from watchbot.listen import executable, nested
from watchbot.listen.executable import SHELL

ANSWERS = 3  # the descriptor that a worker answers on
_SHELL_SYNTAX = frozenset(" \t\n|&;<>()$`\\\"'*?[]#~=%{}!")
# Python ignores SIGPIPE; a worker that inherits that would not end when its reader ends.
_TO_DEFAULT = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_MACHINES_FAULT = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A resolved command: its file, its words, and the reason why it may not start, or None."""

    file: str
    words: tuple[str, ...]
    doubt: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the command needs to start."""
        script = self.words[1:2] if self.words[0] == SHELL else ()
        return (self.file, *filter(os.path.isabs, script))


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Descriptors that a process gets: as its standard input, and as 3, for its answers."""

    stdin: int
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process to start: its command, all its variables, and its standard input.

    `stdin` is the bytes, the path of a file that has them, or None for nothing.
    `mark` is one of the variables, as NAME=VALUE, which is unique to this process: every process
    with `mark` in its environment descends from this process. `channel` replaces `stdin`.
    """

    command: Command
    environment: Mapping[bytes, bytes]
    stdin: bytes | str | None
    mark: bytes | None = None
    channel: Channel | None = None


class SpawnError(Exception):
    """The process could not be started."""

    def __init__(self, error: OSError) -> None:
        self.number = error.errno
        super().__init__(error.strerror or str(error))

    @property
    def too_big(self) -> bool:
        """Whether the words and variables were too long for the system."""
        return self.number == errno.E2BIG

    @property
    def machines_fault(self) -> bool:
        """Whether the machine ran out of a resource: neither command nor message is to blame."""
        return self.number in _MACHINES_FAULT


def resolve(words: Sequence[str], *, shell: bool) -> Command:
    """The command that these words of a command line mean.

    /bin/sh runs a single word with white space or shell syntax, all words with `shell`, and a text
    file without #!. Raises `UsageError` when there is no command or no such file, when this user
    cannot run the file, and when the command is a service of watchbot, which never ends.
    """
    if not words or not words[0]:
        raise UsageError(
            "COMMAND is missing; give a command to run, as ./work.sh, after the options"
        )
    if shell or (len(words) == 1 and not _SHELL_SYNTAX.isdisjoint(words[0])):
        return _by_shell(" ".join(words))
    nested.refuse_service(words)
    found = shutil.which(words[0])
    if found is None:
        raise CommandError(words[0], _why_not(words[0]))
    file = os.path.abspath(found)
    shell_of_text = executable.runner(file, words[0])
    if shell_of_text is not None:
        return Command(file=shell_of_text, words=(shell_of_text, file, *words[1:]))
    return Command(file=file, words=tuple(words), doubt=executable.doubt(file))


def _by_shell(script: str) -> Command:
    nested.refuse_service_in(script)
    if not os.access(SHELL, os.X_OK):
        raise CommandError(
            script, f"there is no {SHELL} to run it; give COMMAND and its arguments as words"
        )
    return Command(file=SHELL, words=(SHELL, "-c", script))


def by_posix(start: Start, files: Sequence[int]) -> int:
    """Starts a process with `files` as its descriptors from 0 on; returns its number."""
    # The child inherits the lock of `claim` on purpose; Python opens all others close-on-exec.
    with as_found(files) as sources:
        return os.posix_spawn(
            start.command.file,
            start.command.words,
            start.environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, file, index) for index, file in enumerate(sources)],
            setsid=True,
            setsigmask=(),
            setsigdef=_TO_DEFAULT,
        )


def by_subprocess(start: Start, files: Sequence[int]) -> int:
    with as_found(files) as (stdin, stdout, stderr, *more):
        child = subprocess.Popen(
            start.command.words,
            executable=start.command.file,
            env=start.environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=partial(_as_three, *more) if more else None,
            pass_fds=(ANSWERS,) if more else (),
        )
    child.returncode = 0  # we wait for it ourselves; Popen must not warn that nobody did
    return child.pid


def on_our_terminal(start: Start) -> "subprocess.Popen[bytes]":
    """Starts a process on our own standard streams, and in our session. Raises `SpawnError`."""
    try:
        return subprocess.Popen(
            start.command.words, executable=start.command.file, env=start.environment
        )
    except OSError as error:
        raise SpawnError(error) from error


def _as_three(file: int) -> None:
    os.dup2(file, ANSWERS)


def rehearse() -> None:
    """Tries to start a process; raises `OSError` when the machine has no room for a process.

    The start always fails, because its file is a directory. The kernel notices that only after it
    has made the process, and so after it has checked the limits of user, container and machine.
    """
    try:
        os.posix_spawn("/", ["rehearsal"], {})
    except OSError as error:
        if error.errno in _MACHINES_FAULT:
            raise


def standard_input(given: bytes | str | None) -> int:
    """Opens the standard input of a process, at its start; see `Start`."""
    if isinstance(given, bytes):
        return memory_file(given)
    return os.open(os.devnull if given is None else given, os.O_RDONLY)


def memory_file(data: bytes) -> int:
    """Opens a file that holds `data`, at its start, in memory if possible."""
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


_UNREACHED = {
    errno.ELOOP: "its links lead in a circle; mend the link that leads back",
    errno.EACCES: "this user may not enter a directory of its path; mend the directory's rights",
    errno.ENAMETOOLONG: "its path is longer than the system takes",
}


def _why_not(word: str) -> str:
    if "/" not in word:
        return f"no such command on the PATH; give its path, or install {word!r} in the image"
    try:
        os.stat(word)
    except OSError as error:
        return _UNREACHED.get(
            error.errno or 0,
            "no such file; check the path, and the working directory it starts from",
        )
    if os.path.isdir(word):
        return "it is a directory"
    if os.stat(word).st_mode & 0o111:
        return "this user may not run it, or its file system is mounted with noexec"
    return f"it is not executable; mend it with: chmod +x {word}"
