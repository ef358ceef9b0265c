"""Gives each worker a scratch directory, and empties the volumes after the worker's end."""

import errno
import logging
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from watchbot.errors import UsageError
from watchbot.listen import claim
from watchbot.listen.spared import Spared, own_paths, working_directory

CONTROL = ".control"  # in a scratch directory: the socket on which its worker asks

log = logging.getLogger(__name__)


class Workspace:
    """The scratch directories and volumes of one watcher's workers."""

    def __init__(self, root: str, volumes: Sequence[Path], spared: Spared) -> None:
        self.root = root
        self._socket: str | None = None
        self._links: str | None = None
        self._volumes, self._spared = volumes, spared
        self._made = 0
        self._spare: list[str] = []  # unused ones, kept: making and deleting a directory is slow
        self._jobs = 0
        self._emptying = anyio.Lock()

    @property
    def longest_control_path(self) -> str:
        """The path of the socket in a scratch directory with a high number."""
        return f"{self.root}/9999999/{CONTROL}"

    def furnish(self, socket: str, links: str | None) -> None:
        """Has each worker find this socket in its scratch directory, or in the directory `links`.

        Each finds a hard link of its own, so that none can take the socket from the others.
        """
        self._socket, self._links = socket, links

    def variables(self, scratch: str) -> Mapping[str, str]:
        """The variables that name what the worker of this scratch directory finds."""
        if self._socket is None:
            return {}
        path = f"{scratch}/{CONTROL}"
        if self._links is not None:
            path = f"{self._links}/{os.path.basename(scratch)}"
        if not self._is_socket(path):
            try:
                if os.path.lexists(path):
                    os.unlink(path)
                os.link(self._socket, path)
            except OSError as error:
                log.warning("worker cannot ask the watcher", extra={"reason": error.strerror})
                return {}
        return {"WATCHBOT_CONTROL": path}

    @asynccontextmanager
    async def job(self) -> AsyncIterator[str]:
        """Opens an empty scratch directory (0700) for one job, and deletes its content on leaving.

        When the last of several overlapping jobs ends, empties the volumes before another job
        begins. Raises `OSError` when the directory cannot be made; only logs a failure to clean.
        """
        if self._volumes:
            async with self._emptying:
                pass
        scratch = self._spare.pop() if self._spare else self._make()
        self._jobs += 1
        try:
            yield scratch
        finally:
            self._jobs -= 1
            if not self._volumes and self._is_as_new(scratch):
                self._spare.append(scratch)
            else:
                with anyio.CancelScope(shield=True):
                    await self._clean(scratch)

    async def tidy(self, scratch: str) -> None:
        """Empties a directory that is in use; a failure is only logged."""
        if not self._is_as_new(scratch):
            with _only_logged(scratch):
                await anyio.to_thread.run_sync(_empty, [scratch], Spared(()))
            self.variables(scratch)

    def check(self) -> None:
        """Raises `OSError` when there is no space for another scratch directory."""
        disk = os.statvfs(self.root)
        if not disk.f_bavail or (disk.f_files and not disk.f_favail):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _make(self) -> str:
        self._made += 1
        scratch = f"{self.root}/{self._made}"
        os.mkdir(scratch, 0o700)
        return scratch

    def _is_socket(self, path: str) -> bool:
        try:
            return self._socket is not None and os.path.samestat(
                os.lstat(path), os.lstat(self._socket)
            )
        except OSError:
            return False

    def _is_as_new(self, scratch: str) -> bool:
        try:
            if os.lstat(scratch).st_mode != stat.S_IFDIR | 0o700:
                return False
            paths = [f"{scratch}/{name}" for name in os.listdir(scratch)]
        except OSError:
            return False
        return not paths or (len(paths) == 1 and self._is_socket(paths[0]))

    async def _clean(self, scratch: str) -> None:
        with _only_logged(scratch):
            if self._is_as_new(scratch):
                self._spare.append(scratch)
            else:
                await anyio.to_thread.run_sync(_remove, scratch)
            if self._volumes:
                async with self._emptying:
                    if not self._jobs:  # a job may have begun during the wait for the lock
                        await anyio.to_thread.run_sync(_empty, self._volumes, self._spared)


@contextmanager
def open_workspace(volumes: Sequence[Path], needed: Iterable[str] = ()) -> Iterator[Workspace]:
    """Opens a workspace below the machine's temporary directory, and deletes it on leaving.

    First deletes the workspaces of killed watchers. Emptying the volumes spares watchbot's own
    files and those in `needed`. Raises `UsageError` when no temporary directory is writable.
    """
    with ExitStack() as house:
        try:
            root = house.enter_context(claim.claimed())
        except OSError as error:
            raise UsageError(
                f"no directory for temporary files can be written ({error.strerror}): "
                "mount a writable /tmp, or set TMPDIR"
            ) from error
        house.callback(_remove, root)
        for path in claim.abandoned():
            _remove(path)
            if not os.path.exists(path):
                log.info("deleted what a killed watcher left", extra={"path": path})
        yield Workspace(root, volumes, _spared(root, volumes, needed))


@contextmanager
def _only_logged(scratch: str) -> Iterator[None]:
    """Logs what goes wrong with cleaning, as a machine without room for a thread: no run fails."""
    try:
        yield
    except Exception as error:
        log.warning("not cleaned", extra={"path": scratch, "reason": repr(error)})


def _spared(root: str, volumes: Sequence[Path], needed: Iterable[str]) -> Spared:
    if not volumes:
        return Spared(())
    # A volume may lie in another volume, and the working directory may lie in a volume.
    return Spared([*own_paths(), *needed, root], [*working_directory(), *volumes])


def _remove(path: str) -> None:
    if os.path.islink(path):  # a worker has replaced a directory by a link
        _unlink(path)
        return
    try:
        shutil.rmtree(path, onerror=partial(_grant_and_retry, path))
    except RecursionError:  # before Python 3.13 it calls itself for each level of directories
        log.warning("directory not deleted: it is too deep", extra={"path": path})


def _empty(folders: Iterable[str | Path], spared: Spared) -> None:
    for folder in folders:
        if os.path.realpath(folder) != str(folder):
            log.warning("volume not emptied", extra={"path": folder, "reason": "it is a link now"})
            continue
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            log.warning("volume not emptied", extra={"path": folder, "reason": error.strerror})
            continue
        for entry in entries:
            if spared.keeps(entry.path):
                continue
            if not entry.is_dir(follow_symlinks=False):
                _unlink(entry.path)
            elif spared.opens(entry.path):
                _empty([entry.path], spared)
            else:
                _remove(entry.path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        log.warning("file not deleted", extra={"path": path, "reason": error.strerror})


def _grant_and_retry(top: str, function: object, path: str, _: object) -> None:
    # A worker may leave directories without rights for itself; the owner may restore the rights.
    try:
        if path != top:  # the parent of `top` is not ours to change: it may be /tmp
            _take_back(os.path.dirname(path))
        if function is os.unlink:
            os.unlink(path)
        elif function is os.rmdir:
            os.rmdir(path)
        else:
            _take_back(path)
            shutil.rmtree(path)
    except FileNotFoundError:  # already deleted
        return
    except OSError as error:
        log.warning("file not deleted", extra={"path": path, "reason": error.strerror})


def _take_back(directory: str) -> None:
    """Gives its owner all rights to a directory. Raises `OSError` for a link instead."""
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(directory, 0o700, follow_symlinks=False)
        return
    # chmod follows links on Linux. O_PATH opens the directory itself, and needs no read right.
    file = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.chmod(f"/proc/self/fd/{file}", 0o700)
    finally:
        os.close(file)
