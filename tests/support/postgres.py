"""A PostgreSQL server of the tests' own: on a free port of loopback, in a directory of its own."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

PASSWORD = "s3cret-w0rd"
PATIENCE_S = 300  # a machine with many busy loops takes minutes to start a server


def _binaries() -> Path | None:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return debian[-1].parent if debian else None


class PostgresServer:
    """A server that can be killed and started again; its data stay."""

    def __init__(self, binaries: Path, home: Path) -> None:
        self._binaries, self._data, self._log = binaries, home / "data", home / "log"
        # PostgreSQL refuses to run as root; Debian's package brings a user for it.
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        if os.geteuid() != 0:
            self._as = []
        password = home / "password"
        password.write_text(PASSWORD)
        if self._as:
            for path in (home, password):
                shutil.chown(path, "postgres", "postgres")
        self._run(
            "initdb", "--username=watchbot", f"--pwfile={password}", "--auth=scram-sha-256",
            "--no-sync", "--encoding=UTF8", "--no-locale",
        )  # fmt: skip
        self.port = _free_port()
        self.databases = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://watchbot:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database with nothing in it."""
        self.databases += 1
        name = f"test_{self.databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def start(self) -> None:
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c fsync=off"
        settings += " -c unix_socket_directories="
        self._run(
            "pg_ctl", "start", "--wait", f"--timeout={PATIENCE_S}", f"--log={self._log}",
            f"--options={settings}",
        )  # fmt: skip

    def kill(self) -> None:
        """Ends it as a power cut would: nothing is written any more, sessions break."""
        self._run("pg_ctl", "stop", "--mode=immediate")

    def end(self) -> None:
        """Kills it if it runs; it may be that it never came up."""
        if (self._data / "postmaster.pid").exists():
            self.kill()

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._binaries / program), f"--pgdata={self._data}", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would be held open by the server
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=PATIENCE_S + 30,
            check=False,
        )
        assert done.returncode == 0, (
            f"{program}: {self._log.read_text() if self._log.exists() else ''}"
        )


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server until the block is left; skips the test where there is no PostgreSQL."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="watchbot-postgres-") as home:
        server = PostgresServer(binaries, Path(home))
        try:
            server.start()
            yield server
        finally:
            server.end()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
