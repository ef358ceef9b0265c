"""A Lambda runtime that misbehaves in the way that its first word names. It runs as a process."""

import http.client
import itertools
import os
import signal
import socket
import sys
import time
from pathlib import Path

ADDRESS = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"


def call(method: str, path: str, body: bytes = b"", address: str = ADDRESS) -> tuple[str, bytes]:
    """The id of the request, and what was answered; the process exits where nobody answers."""
    connection = http.client.HTTPConnection(address)
    connection.request(method, BASE + path, body)
    answer = connection.getresponse()
    found = answer.headers.get("Lambda-Runtime-Aws-Request-Id", str(answer.status)), answer.read()
    connection.close()
    return found


def ask() -> tuple[str, bytes]:
    return call("GET", "/invocation/next")


def answer(name: str, body: bytes = b"null", address: str = ADDRESS) -> str:
    return call("POST", f"/invocation/{name}/response", body, address)[0]


def silent() -> None:
    time.sleep(600)  # until it is killed


def init_error() -> None:
    call("POST", "/init/error", b'{"errorType": "Init.Failed", "errorMessage": "no\\nmodel"}')
    sys.exit(1)


def dies_at_start() -> None:
    print("no licence", file=sys.stderr)
    sys.exit(7)


def dies_in_each_run() -> None:
    ask()
    sys.exit(5)


def dies_right_after_its_answer() -> None:
    name, _ = ask()
    host, port = ADDRESS.split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST {BASE}/invocation/{name}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    connection.sendall(f"{head}\r\n{{}}".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def answers_twice() -> None:
    while True:
        name, _ = ask()
        print("statuses", answer(name), answer(name, b'{"batchItemFailures": [{}]}'))


def answers_garbage() -> None:
    while True:
        answer(ask()[0], b"\xff{not json")


def talks_garbage() -> None:
    while True:
        name, _ = ask()
        host, port = ADDRESS.split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"\x16\x03\x01 hello?\r\n\r\n")
            connection.recv(100)
        answer(name)


def answers_what_it_was_not_asked() -> None:
    while True:
        name, _ = ask()
        print("status", answer("no-such-id"))
        answer(name)


def asks_again() -> None:
    while True:
        ask()


def never_answers() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ask()
    time.sleep(600)  # until it is killed


def answers_when_it_is_told_to_end() -> None:
    name, _ = ask()
    signal.signal(signal.SIGTERM, lambda *_: print("status", answer(name), flush=True))
    signal.pause()


def forks_and_leaves() -> None:
    ask()
    if os.fork():
        sys.exit(0)
    time.sleep(600)  # until it is killed


def answers_at_anothers_port(folder: str) -> None:
    (Path(folder) / f"{os.getpid()}").write_text(ADDRESS)
    while True:
        name, _ = ask()
        while not (others := {path.read_text() for path in Path(folder).iterdir()} - {ADDRESS, ""}):
            time.sleep(0.01)  # the other worker has yet to tell its address
        for other in others:
            print("status", answer(name, b"wrong", other))
        answer(name)


def weighs() -> None:
    while True:
        name, event = ask()
        print("event of", len(event), "bytes")
        answer(name)


def fails_the_second_event() -> None:
    for number in itertools.count(1):
        name, event = ask()
        print("event of", len(event), "bytes")
        answer(name, b"no JSON" if number == 2 else b"null")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
