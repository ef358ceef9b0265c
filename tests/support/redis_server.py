"""A Redis server of the tests' own: on a free port of loopback, in memory alone."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

PASSWORD = "s3cret-w0rd"


@contextlib.contextmanager
def running_redis() -> Iterator[str]:
    """Runs Redis until the block is left; yields its URL. Skips the test without Redis."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no Redis on this machine: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD]
    options += ["--save", "", "--appendonly", "no", "--dir", "/"]
    with subprocess.Popen(
        [program, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if "eady to accept connections" in line:
                break
        try:
            yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.stdout.read()
