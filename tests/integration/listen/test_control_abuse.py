"""Workers that ask for what is not theirs, or ask badly: nobody else comes to harm."""

import json
import sys
import tempfile
from pathlib import Path

import anyio
import pytest

from tests.support.handing import a_queue, worked_off
from watchbot.outcome import COMPLETED, REJECTED

CTL = f"{sys.executable} -m watchbot ctl"
TALK = """
import json, os, socket, sys
def talk():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["WATCHBOT_CONTROL"])
    return connection
def said(connection):
    return json.loads(connection.makefile().readline())
def asked(line):
    with talk() as connection:
        connection.sendall(line)
        return said(connection)
"""


async def said(tmp_path: Path, script: str, **options: object) -> list[str]:
    """The lines that a worker in Python prints; it has `talk`, `said` and `asked`."""
    worker = tmp_path / "worker.py"
    worker.write_text(TALK + script)

    ends = await worked_off(a_queue("a"), [sys.executable, str(worker)], **options)

    assert ends.outcomes == [("a", COMPLETED)], ends.tail("a")
    return ends.tail("a").splitlines()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "a request is one JSON object"),
        ("deadline", "a request is one JSON object"),
        ("[" * 9_000, "a request is one JSON object"),
        ('{"verb": "explode"}', "'verb' must be one of retry-after, reject"),
        ('{"verb": ["reject"]}', "'verb' must be one of"),
        ('{"verb": "reject", "reason": 7}', "'reason' of reject must be a text"),
        ('{"verb": "reject", "seconds": 7}', "reject takes no 'seconds'"),
        ('{"verb": "retry-after"}', "retry-after needs a number from 0 as 'seconds'"),
        ('{"verb": "retry-after", "seconds": -1}', "needs a number from 0"),
        ('{"verb": "retry-after", "seconds": NaN}', "needs a number from 0"),
        ('{"verb": "extend", "seconds": true}', "needs a number from 0"),
        ('{"verb": "extend", "seconds": 1' + 400 * "0" + "}", "needs a number from 0"),
        ('{"verb": "progress", "fraction": 1.1}', "needs a number from 0 to 1"),
        ('{"verb": "deadline", "message": 7}', "'message' must be the id"),
        ('{"verb": "deadline", "message": "x"}', "no message with this id in hand"),
        ('{"verb": "checkpoint", "data": "x"}', "start it with --checkpoints"),
        ('{"verb": "checkpoint", "base64": "x"}', "cannot be decoded"),
        ('{"verb": "checkpoint"}', "needs a text as either 'data' or 'base64'"),
        ('{"verb": "checkpoint", "data": "' + 300_000 * "x" + '"}', "at most 262,144 bytes"),
    ],
)
async def test_bad_request_is_refused_in_words(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "line").write_text(f"{line}\n")
    script = f"""
with talk() as connection:
    connection.sendall(open({str(tmp_path / "line")!r}, "rb").read())
    print(said(connection)["error"])
    connection.sendall(b'{{"verb": "deadline"}}\\n')
    print(said(connection)["ok"])
"""
    refusal, goes_on = await said(tmp_path, script)

    assert problem in refusal
    assert goes_on == "True"


async def test_huge_line_half_a_line_and_a_flood_leave_the_watcher_well(tmp_path: Path) -> None:
    script = """
with talk() as huge:
    try:
        for _ in range(100):
            huge.sendall(b"x" * 1_000_000)
    except OSError:
        pass
    print(said(huge)["error"])
halves = [talk() for _ in range(3)]
for half in halves:
    half.sendall(b'{"verb": "reject"')
with talk() as flood:
    flood.sendall(b'{"verb": "deadline"}\\n' * 500)
    file = flood.makefile()
    print(sum(json.loads(file.readline())["ok"] for _ in range(500)))
crowd = [talk() for _ in range(20)]
for one in crowd[:10]:
    one.sendall(b'{"verb": "deadline"}\\n')
print(said(crowd[9])["error"])
for one in [*halves, *crowd]:
    one.close()
for _ in range(100):
    talk().close()
print(asked(b'{"verb": "deadline"}\\n')["ok"])
"""
    printed = await said(tmp_path, script)

    assert printed == [
        "a request has at most 524,288 bytes",
        "500",
        "this run has too many connections open",
        "True",
    ]


async def test_no_process_speaks_for_the_message_of_another_run(tmp_path: Path) -> None:
    queue = a_queue("victim", "rogue")
    script = f"""
        if [ "$Message" = victim ]; then
            echo "$WATCHBOT_CONTROL" > {tmp_path}/path.new; mv {tmp_path}/path.new {tmp_path}/path
            until [ -e {tmp_path}/done ]; do sleep 0.02; done
        else
            until [ -e {tmp_path}/path ]; do sleep 0.02; done
            export WATCHBOT_CONTROL=$(cat {tmp_path}/path)
            {CTL} reject it was me; touch {tmp_path}/done
        fi"""

    ends = await worked_off(queue, script, concurrency=2)

    assert sorted(ends.outcomes) == [("rogue", REJECTED), ("victim", COMPLETED)]


async def test_process_of_no_run_is_refused(tmp_path: Path) -> None:
    path, done = tmp_path / "path", tmp_path / "done"
    script = f'echo "$WATCHBOT_CONTROL" > {path}; until [ -e {done} ]; do sleep 0.02; done'
    async with anyio.create_task_group() as watching:
        watching.start_soon(worked_off, a_queue("a"), script)
        while not (path.exists() and path.read_text().endswith("\n")):
            await anyio.sleep(0.01)  # a file announces nothing
        async with await anyio.connect_unix(path.read_text().strip()) as stranger:
            await stranger.send(b'{"verb": "reject"}\n')
            reply = json.loads(await stranger.receive())
        done.touch()

    assert reply == {"ok": False, "error": "this process belongs to no run of this watcher"}


async def test_grandchild_with_a_session_of_its_own_may_ask() -> None:
    script = f"setsid sh -c 'setsid {CTL} reject; true'"

    ends = await worked_off(a_queue("a"), script)

    assert ends.outcomes == [("a", REJECTED)]


async def test_worker_that_removes_or_replaces_its_socket_harms_no_later_run() -> None:
    queue = a_queue("a", "b", "c")
    script = f"""{CTL} reject "$Message"
        case $Message in
            a) rm "$WATCHBOT_CONTROL" ;; b) rm "$WATCHBOT_CONTROL"; echo > "$WATCHBOT_CONTROL" ;;
        esac"""

    ends = await worked_off(queue, script)

    assert [ends.how(body) for body in "abc"] == ["a", "b", "c"]


async def test_worker_below_a_path_too_long_for_a_socket_may_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    script = f'{CTL} reject "$WATCHBOT_CONTROL"; rm "$WATCHBOT_CONTROL"'

    ends = await worked_off(a_queue("a", "b"), script)

    assert ends.outcomes == [("a", REJECTED), ("b", REJECTED)]
    assert len(ends.how("b")) < len(str(deep))
    assert not Path(ends.how("b")).parent.exists()
