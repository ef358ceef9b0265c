"""The servers of others that the tests meet: where each is installed, and how it starts."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INSTALLED = ROOT / ".foreign"
HOST = "127.0.0.1"
UP_S = 60
LIFE_S = 900  # after which a server ends although nobody has ended it
END_S = 10


@dataclass(frozen=True)
class Server:
    """One server: what it needs, the words that start it, and what it says once it is up."""

    name: str
    pins: Path
    up: str
    words: Callable[[int], list[str]]
    variables: Callable[[int, str], Mapping[str, str]] = lambda port, folder: {}

    @property
    def home(self) -> Path:
        """The folder of its own environment."""
        return INSTALLED / self.name

    @property
    def mark(self) -> Path:
        """A file that holds the pins which are installed."""
        return self.home / "installed"

    @property
    def why(self) -> Path:
        """A file that says why it could not be installed."""
        return self.home / "why"

    def wanted(self) -> str:
        """The pins as text."""
        files = sorted(self.pins.iterdir()) if self.pins.is_dir() else [self.pins]
        return "".join(file.read_text() for file in files)

    def missing(self) -> str | None:
        """Why it cannot be started here, if it cannot."""
        if self.mark.exists() and self.mark.read_text() == self.wanted():
            return None
        said = self.why.read_text() if self.why.exists() else "not installed"
        return f"no {self.name} here ({said}): make foreign"

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[str]:
        """Its URL, on loopback, until the block is left; it keeps its files in `folder`."""
        with socket.create_server((HOST, 0)) as listener:
            port = listener.getsockname()[1]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(HERE / "loopback"),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(folder),
            **self.variables(port, str(folder)),
        }
        with subprocess.Popen(
            ["timeout", "--kill-after", str(END_S), str(LIFE_S), *self.words(port)],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            try:
                _wait(process, self.up, folder / "log")
                yield f"http://{HOST}:{port}"
            finally:
                _end(process)


def _wait(process: subprocess.Popen[bytes], up: str, log: Path) -> None:
    """Returns once the server is up; from then on, what it says goes to a file."""
    assert process.stdout is not None
    late = threading.Timer(UP_S, process.kill)
    late.start()
    said = b""
    try:
        for line in process.stdout:
            said += line
            if re.search(up.encode(), line):
                break
        else:
            raise AssertionError(f"the server did not start: {said.decode()}")
    finally:
        late.cancel()
    stream = process.stdout

    def keep() -> None:
        with log.open("wb") as file:
            shutil.copyfileobj(stream, file)

    threading.Thread(target=keep, daemon=True).start()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _ministack(port: int, folder: str) -> Mapping[str, str]:
    return {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "INFO",
    }


def _localstack(port: int, folder: str) -> Mapping[str, str]:
    return {
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        "LOCALSTACK_HOST": f"{HOST}:{port}",
        "SQS_ENDPOINT_STRATEGY": "path",  # its other URLs need a name server
        "FILESYSTEM_ROOT": folder,
        "SERVICES": "sqs,sns",
        "STRICT_SERVICE_LOADING": "1",
        "DNS_ADDRESS": "0",  # that is, none
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "LS_LOG": "warning",
    }


MINISTACK = Server(
    "ministack",
    HERE / "pins" / "ministack.txt",
    "Ready",
    lambda port: [str(INSTALLED / "ministack" / "bin" / "ministack")],
    _ministack,
)
LOCALSTACK = Server(
    "localstack",
    HERE / "pins" / "localstack.txt",
    "Ready",
    lambda port: [str(INSTALLED / "localstack/bin/python"), "-m", "localstack.runtime.main"],
    _localstack,
)
DYNALITE = Server(
    "dynalite",
    HERE / "pins" / "dynalite",
    "listening",
    lambda port: [
        str(INSTALLED / "dynalite" / "node_modules" / ".bin" / "dynalite"),
        *("--host", HOST, "--port", str(port), "--createTableMs", "50"),
    ],
)
SERVERS = {server.name: server for server in (MINISTACK, LOCALSTACK, DYNALITE)}
