"""Where workers write: a scratch directory each, and volumes that are emptied after each job."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread

from watchbot.errors import UsageError

log = logging.getLogger(__name__)


class Workspace:
    """The directories of one watcher's workers."""

    def __init__(self, root: str, volumes: Sequence[Path]) -> None:
        self._root = root
        self._volumes = volumes
        self._made = 0

    def scratch(self) -> str:
        """A new directory (0700). Raises `OSError` when the disk is full or gone."""
        self._made += 1
        path = f"{self._root}/{self._made}"
        os.mkdir(path, 0o700)
        return path

    async def clean(self, scratch: str) -> None:
        """Deletes a scratch directory and empties the volumes; a failure is logged, no more."""
        try:
            os.rmdir(scratch)  # most workers leave it empty: no thread, no walk
        except OSError:
            await anyio.to_thread.run_sync(_remove, scratch)
        if self._volumes:
            await anyio.to_thread.run_sync(_empty, self._volumes)


@contextmanager
def open_workspace(volumes: Sequence[Path]) -> Iterator[Workspace]:
    """A workspace below the machine's temporary directory, deleted on leaving.

    Raises `UsageError` when there is no directory to write to.
    """
    try:
        root = tempfile.mkdtemp(prefix="watchbot-")
    except OSError as error:
        raise UsageError(
            f"no directory for temporary files can be written ({error.strerror}): "
            "mount a writable /tmp, or set TMPDIR"
        ) from error
    try:
        yield Workspace(root, volumes)
    finally:
        _remove(root)


def _remove(path: str) -> None:
    shutil.rmtree(path, onerror=_grant_and_retry)


def _empty(volumes: Sequence[Path]) -> None:
    for volume in volumes:
        try:
            entries = list(os.scandir(volume))
        except OSError as error:
            log.warning("volume not emptied", extra={"path": volume, "reason": error.strerror})
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                _unlink(entry.path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        log.warning("file not deleted", extra={"path": path, "reason": error.strerror})


def _grant_and_retry(function: object, path: str, _: object) -> None:
    # A worker may leave directories it took its own rights from; the owner may take them back.
    try:
        os.chmod(os.path.dirname(path), 0o700)
        if function is os.unlink:
            os.unlink(path)
        elif function is os.rmdir:
            os.rmdir(path)
        else:
            os.chmod(path, 0o700)
            shutil.rmtree(path)
    except OSError as error:
        log.warning("file not deleted", extra={"path": path, "reason": error.strerror})
