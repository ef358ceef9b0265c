"""Checkpoints in a directory, a file each: an order on the first line, then the content.

A file's time of modification is when it may be deleted. Writers replace whole files. Two that write
at one moment are not told apart by their order, as two hosts may share the directory.
"""

import os
import tempfile
import time
from contextlib import suppress
from urllib.parse import quote

import anyio.to_thread

from watchbot.checkpoints.store import Checkpoint
from watchbot.errors import SettingError
from watchbot.settings.base import describe

ENDING = ".checkpoint"
PART = ".part"  # of a file that is being written
SWEEP_S = 3600  # between two looks for files that are no longer kept


class Directory:
    """A store in one directory. Raises `SettingError` where this user cannot write it."""

    def __init__(self, path: str) -> None:
        if not (os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)):
            problem = f"{path!r} is no directory that this user can write; make it first"
            raise SettingError(describe("checkpoints"), problem)
        self._path, self._sweeps_at = path, 0.0

    async def save(self, name: str, content: bytes, order: str, expires: int) -> bool:
        return await anyio.to_thread.run_sync(self._save, name, content, order, expires)

    async def load(self, name: str) -> Checkpoint | None:
        found = await anyio.to_thread.run_sync(self._read, name)
        return None if found is None else found[1]

    async def keep(self, name: str, expires: int) -> None:
        with suppress(FileNotFoundError):
            os.utime(self._file(name), (expires, expires))

    async def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._file(name))

    def _save(self, name: str, content: bytes, order: str, expires: int) -> bool:
        self._sweep()
        last = self._read(name)
        if last is not None and last[0] > order:
            return False
        number, part = tempfile.mkstemp(PART, dir=self._path)
        try:
            with open(number, "wb") as file:
                file.write(order.encode() + b"\n" + content)
                file.flush()
                os.fsync(number)
            os.utime(part, (expires, expires))
            os.rename(part, self._file(name))
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(part)
            raise
        return True

    def _read(self, name: str) -> tuple[str, Checkpoint] | None:
        try:
            with open(self._file(name), "rb") as file:
                expires = int(os.fstat(file.fileno()).st_mtime)
                order = file.readline().decode(errors="replace").removesuffix("\n")
                return order, Checkpoint(file.read(), expires)
        except FileNotFoundError:
            return None

    def _file(self, name: str) -> str:
        return os.path.join(self._path, quote(name, safe="") + ENDING)

    def _sweep(self) -> None:
        now = time.time()
        if now < self._sweeps_at:
            return
        self._sweeps_at = now + SWEEP_S
        for entry in os.scandir(self._path):
            over = {ENDING: now, PART: now - SWEEP_S}.get(os.path.splitext(entry.name)[1])
            with suppress(FileNotFoundError):
                if over is not None and entry.stat().st_mtime < over:
                    os.unlink(entry.path)
