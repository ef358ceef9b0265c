"""Starts a process: what a command line means, the two ways to start it, and why it cannot be.

The fast way (Linux; measured in docs/explanation/performance.md) is `posix_spawn`, which is a
vfork. Elsewhere: `subprocess`.
"""

import errno
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchbot.descriptors import as_found
from watchbot.errors import CommandError, UsageError
from watchbot.listen import executable, nested
from watchbot.listen.executable import SHELL

_SHELL_SYNTAX = frozenset(" \t\n|&;<>()$`\\\"'*?[]#~=%{}!")
# Python ignores some, and a worker that inherits that does not end when its reader does.
_TO_DEFAULT = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_MACHINES_FAULT = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that can be run: the file, its words, and why it may not start after all."""

    file: str
    words: tuple[str, ...]
    doubt: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files without which it cannot be run."""
        script = self.words[1:2] if self.words[0] == SHELL else ()
        return (self.file, *filter(os.path.isabs, script))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process to be started: its command, all its variables, its standard input if it has one.

    `mark` is one of the variables, as NAME=VALUE, that no other process has: what carries it
    belongs to this one.
    """

    command: Command
    environment: Mapping[bytes, bytes]
    stdin: bytes | None
    mark: bytes | None = None


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

    A single word with white space or shell syntax, and all words with `shell`, go to /bin/sh; so
    does a text without #!. Raises `UsageError` when there is no command, no such file, when it
    may not or cannot be run, and when it is a service of watchbot, which never ends.
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


def by_posix(start: Start, files: tuple[int, int, int]) -> int:
    # No descriptor leaks but the one that is to (see `claim`): Python opens them close-on-exec.
    with as_found(files) as sources:
        return os.posix_spawn(
            start.command.file,
            start.command.words,
            start.environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, file, place) for place, file in enumerate(sources)],
            setsid=True,
            setsigmask=(),
            setsigdef=_TO_DEFAULT,
        )


def by_subprocess(start: Start, files: tuple[int, int, int]) -> int:
    with as_found(files) as (stdin, stdout, stderr):
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


def rehearse() -> None:
    """Starts a process that ends before it is one; raises `OSError` when the machine has no room.

    A directory cannot be run, which shows only once there is a process to run it in: limits of
    the user, of the container and of the machine have been heard by then.
    """
    try:
        os.posix_spawn("/", ["rehearsal"], {})
    except OSError as error:
        if error.errno in _MACHINES_FAULT:
            raise


def memory_file(data: bytes | None) -> int:
    """A seekable file that holds `data`, at its start, on no disk where the system can do that.

    /dev/null for None.
    """
    if data is None:
        return os.open(os.devnull, os.O_RDONLY)
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
    errno.EACCES: "this user may not enter a directory of its path; mend that one's rights",
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
