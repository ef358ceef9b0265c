"""`watchbot top`, on a terminal and elsewhere."""

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.programs import read_until, served
from tests.support.silent import silent_server
from watchbot.extras import how_to_add


def test_plain_text_where_it_is_no_terminal(cloud: Cloud) -> None:
    queue = cloud.queue("plain")
    cloud.send_many(queue, ["0", "1", "1"])

    with served(cloud, queue, "echo heard; exit $Message") as (watcher, url):
        for word in ("completed", "failed", "failed"):
            read_until(watcher, word)
        dead = "http://127.0.0.1:1/metrics"
        done = cloud.watchbot("top", "--url", url, "--url", dead, "--once", "--interval", "0.1")

    one, failure, other = done.stdout.splitlines()
    assert re.fullmatch(
        rf"{url}  waiting \d+  hidden \d+  oldest \S+  busy 0/1  warm -  per second \S+"
        r"  p50 \S+s  p95 \S+s  lost 0  breaker closed",
        one,
    )
    assert re.fullmatch(rf"{url}  failure [0-9a-f]{{16}}: exit code 1; 2 times, last \S+Z", failure)
    assert other == f"{dead}  Connection refused"
    assert (done.returncode, done.stderr) == (0, "")


def test_progress_that_a_worker_tells_is_shown(cloud: Cloud) -> None:
    queue = cloud.queue("progress")
    message_id = cloud.send(queue, "x")

    with served(cloud, queue, "watchbot ctl progress 40%; echo told; exec sleep 60") as (
        watcher,
        url,
    ):
        read_until(watcher, "told")
        done = cloud.watchbot("top", "--url", url, "--once", "--interval", "0.1")

    assert f"{url}  progress {message_id}: 40%\n" in done.stdout


def test_says_whom_it_waits_for(cloud: Cloud) -> None:
    with silent_server() as silent:
        done = cloud.watchbot("top", "--url", silent.url, "--once", "--interval", "0.1")

    assert done.stderr == f"watchbot: waiting for {silent.url}/metrics\n"
    assert done.stdout == f"{silent.url}/metrics  timed out\n"
    assert done.returncode == 1


def test_ctrl_c_ends_it_while_nobody_answers(cloud: Cloud) -> None:
    with silent_server() as silent:
        words = [str(BIN / "watchbot"), "top", "--url", silent.url]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            said = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()

    assert said == f"watchbot: waiting for {silent.url}/metrics\n"
    assert (process.returncode, rest) == (0, "")


def test_live_view_on_a_terminal(cloud: Cloud) -> None:
    queue = cloud.queue("terminal")
    ours, theirs = pty.openpty()
    with served(cloud, queue, "true") as (_, url):
        words = [str(BIN / "watchbot"), "top", "--url", url, "--interval", "0.1"]
        variables = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
        with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=variables) as process:
            os.close(theirs)
            shown = ""
            while shown.count("0/1") < 3 and (piece := os.read(ours, 65_536)):
                shown += piece.decode(errors="replace")
            process.send_signal(2)
            while process.poll() is None:
                shown += read_rest(ours)
    os.close(ours)

    assert process.returncode == 0
    assert "watchbot top (Ctrl-C leaves)" in shown
    assert url.removeprefix("http://").partition("/")[0] in shown
    assert "\x1b[" in shown  # drawn over what was there
    assert "Traceback" not in shown


def test_alike_watchers_are_told_apart_on_a_narrow_terminal(cloud: Cloud) -> None:
    urls = [f"http://watcher-{n}.a-long-name-of-a-service.internal:1/metrics" for n in (1, 2)]
    ours, theirs = pty.openpty()
    words = [str(BIN / "watchbot"), "top", "--url", urls[0], "--url", urls[1], "--interval", "0.1"]
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        shown = ""
        while not ("watcher-1" in shown and "watcher-2" in shown):
            shown += os.read(ours, 65_536).decode(errors="replace")
        process.send_signal(2)
        while process.poll() is None:
            read_rest(ours)
    os.close(ours)

    assert "…" not in shown.partition("last failures")[0].partition("breaker")[0]


def test_terminal_without_the_extra_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError")
    variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ours, theirs = pty.openpty()

    with subprocess.Popen(
        [str(BIN / "watchbot"), "top"], stdout=theirs, stderr=theirs, env=variables
    ) as process:
        os.close(theirs)
        shown = ""
        while piece := read_rest(ours):
            shown += piece
    os.close(ours)

    assert process.returncode == 2
    assert shown.splitlines() == [
        f"watchbot: watchbot top on a terminal needs more packages: {how_to_add('tools')}"
    ]


def read_rest(terminal: int) -> str:
    try:
        return os.read(terminal, 65_536).decode(errors="replace")
    except OSError:  # the other end is closed
        return ""


def test_nobody_answers(cloud: Cloud) -> None:
    done = cloud.watchbot("top", "--once", "--interval", "0.1", "--url", "http://127.0.0.1:1")

    assert (done.returncode, done.stdout) == (1, "http://127.0.0.1:1/metrics  Connection refused\n")


def test_somebody_else_answers(cloud: Cloud) -> None:
    done = cloud.watchbot("top", "--once", "--interval", "0.1", "--url", cloud.url)

    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    # It says that it waits where the machine is slow.
    assert done.stderr.removeprefix(f"watchbot: waiting for {cloud.url}/metrics\n") == ""


@pytest.mark.parametrize(
    "words", [("--url", "host:9090"), ("--interval", "0"), ("--interval", "soon")]
)
def test_bad_options_are_refused_in_one_line(cloud: Cloud, words: tuple[str, str]) -> None:
    done = cloud.watchbot("top", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{words[0]} (WATCHBOT_" in done.stderr
    assert done.stderr.count("\n") == 1
