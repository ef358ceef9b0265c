"""Real watchers that are killed, ended and stopped, and started again."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
AGAIN_S = 0.2  # between two signals: a watcher that drains has heard of the first
LEAVE_S = 40  # what a watcher gets to leave: the drain and a poll


@dataclass(slots=True, eq=False, kw_only=True)
class Watcher:
    """A `watchbot listen`, and its log."""

    process: subprocess.Popen[bytes]
    log: Path
    stopped_until: float | None = None
    leaving_by: float | None = None
    insist_at: float | None = None  # when it gets a second SIGTERM

    @property
    def started(self) -> bool:
        return "started" in self.log.read_text(errors="replace")


@dataclass(slots=True, kw_only=True)
class Fleet:
    """Watchers on one queue. Each runs `command` with these options, and a ledger to write to."""

    url: str
    queue_url: str
    home: Path
    options: tuple[str, ...]
    command: tuple[str, ...]
    running: list[Watcher] = field(default_factory=list)
    ended: list[Watcher] = field(default_factory=list)
    # Watchers that were killed, stopped or told to end at once.
    doubted: set[int] = field(default_factory=set)
    abandoned: set[int] = field(default_factory=set)  # workers of watchers that were killed
    killed_workers: set[int] = field(default_factory=set)  # they write no end of their run
    faults: list[str] = field(default_factory=list)  # what no watcher may do

    @property
    def ledger(self) -> Path:
        return self.home / "ledger"

    def start(self) -> None:
        log = self.home / f"watcher-{len(self.running) + len(self.ended)}.log"
        words = (
            str(BIN / "watchbot"),
            "listen",
            "--queue-url",
            self.queue_url,
            *self.options,
            *self.command,
        )
        environment = {
            **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.url,
            "CHAOS_LEDGER": str(self.ledger),
            "TMPDIR": str(self.home),
        }
        with log.open("wb") as file:
            process = subprocess.Popen(
                words,
                cwd=ROOT,  # where the function of a Lambda runtime is found
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self.running.append(Watcher(process=process, log=log))

    def victims(self) -> list[Watcher]:
        """Watchers that run and have not been disturbed so far."""
        return [
            watcher
            for watcher in self.running
            if watcher.stopped_until is None and watcher.leaving_by is None and watcher.started
        ]

    def kill(self, watcher: Watcher) -> None:
        """SIGKILL. Its workers go on: nobody is left to end them."""
        self._freeze(watcher)
        self.abandoned.update(children(watcher.process.pid))
        watcher.process.kill()
        watcher.process.wait()
        self.running.remove(watcher)
        self.ended.append(watcher)

    def terminate(self, watcher: Watcher) -> None:
        watcher.process.terminate()
        watcher.leaving_by = time.monotonic() + LEAVE_S

    def insist(self, watcher: Watcher) -> None:
        """Two times SIGTERM. It ends its workers at once."""
        self.doubted.add(watcher.process.pid)
        self.terminate(watcher)
        watcher.insist_at = time.monotonic() + AGAIN_S

    def stop(self, watcher: Watcher, seconds: float) -> None:
        """Stops a watcher with SIGSTOP for a time, while its workers run on."""
        self._freeze(watcher)
        watcher.stopped_until = time.monotonic() + seconds

    def kill_worker(self, watcher: Watcher) -> bool:
        """Whether there was one to kill."""
        for worker in children(watcher.process.pid)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGKILL)
                self.killed_workers.add(worker)
                return True
        return False

    def look_after(self, size: int) -> None:
        """Wakes those that were stopped long enough, notes those that ended, starts others."""
        for watcher in list(self.running):
            if watcher.stopped_until is not None and time.monotonic() > watcher.stopped_until:
                watcher.process.send_signal(signal.SIGCONT)
                watcher.stopped_until = None
            if watcher.insist_at is not None and time.monotonic() > watcher.insist_at:
                watcher.process.terminate()
                watcher.insist_at = None
            if watcher.process.poll() is not None:
                self._note_end(watcher)
            elif watcher.leaving_by is not None and time.monotonic() > watcher.leaving_by:
                self.faults.append(f"{watcher.log.name} did not leave in {LEAVE_S} s")
                self.kill(watcher)
        for _ in range(size - len(self.running)):
            self.start()

    def leave(self) -> None:
        """Has all of them leave, and waits for it."""
        for watcher in self.running:
            watcher.process.send_signal(signal.SIGCONT)
            while not watcher.started and watcher.process.poll() is None:
                time.sleep(0.02)  # a process that only loads is ended by the signal itself
            self.terminate(watcher)
        while self.running:
            self.look_after(0)
            time.sleep(0.02)  # several processes at once, and no loop to watch them

    def close(self) -> None:
        """Ends all that is left, by force."""
        for watcher in list(self.running):
            self.kill(watcher)
        for process in self.left_over():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def end_abandoned(self) -> int:
        """Ends workers of killed watchers, which no watcher can; how many still ran."""
        found = [process for process in self.left_over() if process in self.abandoned]
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
        return len(found)

    def left_over(self) -> list[int]:
        """The living processes that carry our ledger's name."""
        mark = f"CHAOS_LEDGER={self.ledger}".encode()
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and _has(name, mark)]

    def lost_leases(self) -> set[tuple[str, int]]:
        """Message ids, and the watchers that said they had lost them."""
        return {
            (found, watcher.process.pid)
            for watcher in self.ended
            for found in re.findall(
                r"lease lost message_id=(\S+)|\[([\w-]{36})\] lease lost", watcher.log.read_text()
            )
            for found in found
            if found
        }

    def _freeze(self, watcher: Watcher) -> None:
        self.doubted.add(watcher.process.pid)
        watcher.process.send_signal(signal.SIGSTOP)

    def _note_end(self, watcher: Watcher) -> None:
        code = watcher.process.wait()
        self.running.remove(watcher)
        self.ended.append(watcher)
        if code != 0:
            self.faults.append(f"{watcher.log.name} ended with {code}")
        if "Traceback" in watcher.log.read_text(errors="replace"):
            self.faults.append(f"{watcher.log.name} holds a traceback")


def children(process: int) -> list[int]:
    """The child processes, by what the kernel says."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def open_files(process: int) -> int:
    """How many descriptors it has, sockets left out: the pool of connections breathes."""
    places = Path(f"/proc/{process}/fd").iterdir()
    return sum(not os.readlink(place).startswith("socket:") for place in places)


def rss_bytes(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _has(process: str, mark: bytes) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" and mark in Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return False
