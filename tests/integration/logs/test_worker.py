"""Tests a worker's log tools: `watchbot-log`, and the names of the package."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.support.cloud import BIN

PREFIX = r"\[\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\] \[worker\] \[m1\] "
STRUCTURED = {"structuredLogging": "true"}


def run(
    *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    variables = {"PATH": os.environ["PATH"], "MessageId": "m1", **(env or {})}
    return subprocess.run(words, input=stdin, env=variables, capture_output=True, check=False)


def logged(*words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
    """The output of `watchbot-log`."""
    done = run(str(BIN / "watchbot-log"), *words, stdin=stdin, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def printed(code: str, env: Mapping[str, str] | None = None) -> str:
    """The output of this Python program."""
    done = run(sys.executable, "-c", f"import sys, logging, watchbot\n{code}", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def without_prefix(text: str) -> list[str]:
    lines = text.splitlines()
    assert all(re.match(PREFIX, line) for line in lines), lines
    return [re.sub(PREFIX, "", line) for line in lines]


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["one", "two"], b"", ["one two"]),
        (["two\nlines"], b"", ["two", "lines"]),
        ([""], b"", [""]),
        (["--- start ---"], b"", ["--- start ---"]),
        (["--", "--level"], b"", ["--level"]),
        (["--level", "error", "bad"], b"", ["[error] bad"]),
        (["--level=warning"], b"a\nb\n", ["[warning] a", "[warning] b"]),
        ([], b"one\n\nno newline", ["one", "", "no newline"]),
        ([], b"", []),
    ],
)
def test_text_lines(words: list[str], stdin: bytes, said: list[str]) -> None:
    assert without_prefix(logged(*words, stdin=stdin).decode()) == said


def test_bytes_pass_as_they_are() -> None:
    assert logged(stdin=b"\xff\x00\n").endswith(b"] \xff\x00\n")


@pytest.mark.parametrize("start", ["", "a", "aa", "aaa"])
def test_long_line_is_split_between_characters(start: str) -> None:
    text = start + "\N{PILE OF POO}" * 40_000

    lines = without_prefix(logged(stdin=text.encode()).decode())

    assert len(lines) == 3
    assert "".join(lines) == text


def test_line_of_just_64_kib_is_one_line() -> None:
    assert without_prefix(logged(stdin=b"a" * 65_536 + b"\nb\n").decode()) == ["a" * 65_536, "b"]


def test_structured_lines() -> None:
    line = json.loads(logged("--level", "error", "bad\n\udcff", env=STRUCTURED))

    assert (line["level"], line["msg"], line["name"]) == (50, "bad\n\\xff", "worker")
    assert line["watchbot_sqs_message_id"] == "m1"


def test_line_appears_before_the_next_is_there() -> None:
    with subprocess.Popen(
        [str(BIN / "watchbot-log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith(b"one\n")


def test_long_line_is_split() -> None:
    lines = logged(stdin=b"x" * 200_000).splitlines()

    assert b"".join(line.rpartition(b" ")[2] for line in lines) == b"x" * 200_000
    assert max(map(len, lines)) < 66_000


@pytest.mark.parametrize("words", [["--level", "loud", "x"], ["--level"], ["--level="]])
def test_bad_level_is_refused_in_one_line(words: list[str]) -> None:
    done = run(str(BIN / "watchbot-log"), *words)

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"watchbot-log: level must be one of debug, info, ")
    assert done.stderr.count(b"\n") == 1


def test_start_loads_little() -> None:
    code = "import sys, watchbot.logs.worker as it; it.main(['x']); print(*sys.modules)"
    loaded = set(run(sys.executable, "-c", code).stdout.decode().split())

    assert "watchbot.logs.worker" in loaded
    assert not loaded & {"logging", "socket", "asyncio", "argparse", "pydantic", "anyio", "click"}


def test_log_prints_like_print() -> None:
    said = printed(
        "print('first', end='')\nprint()\nwatchbot.log('x', 1, None, sep='-')\n"
        "watchbot.log('\\udcff')\nwatchbot.log('a\\nb', level='error')"
    )

    first, *rest = said.splitlines()
    assert first == "first"
    assert without_prefix("\n".join(rest)) == ["x-1-None", "\\udcff", "[error] a", "[error] b"]


def test_stream_prints_whole_lines_and_the_rest_on_closing() -> None:
    code = """
with watchbot.log_stream() as stream:
    print('one', 'two', file=stream)
    stream.write('thr'); stream.flush(); stream.write('ee\\nfo')
    watchbot.log('between')
"""
    assert without_prefix(printed(code)) == ["one two", "three", "between", "fo"]


def test_stream_may_stand_for_standard_output() -> None:
    code = "sys.stdout = watchbot.log_stream()\nprint('one')\nwatchbot.log('two')"

    assert without_prefix(printed(code)) == ["one", "two"]


CONFIGURED = "logging.basicConfig(handlers=[watchbot.LogHandler()], level=logging.DEBUG)\n"


def test_handler_prints_records() -> None:
    code = CONFIGURED + "logging.info('n=%d', 1)\nlogging.warning('careful')\nlogging.log(5, '')"

    assert without_prefix(printed(code)) == ["n=1", "[warning] careful"]


def test_handler_prints_a_traceback_as_one_structured_line() -> None:
    code = CONFIGURED + "try: 1 / 0\nexcept ZeroDivisionError: logging.exception('failed')"
    (line,) = printed(code, STRUCTURED).splitlines()

    said = json.loads(line)
    assert said["level"] == 50
    assert said["msg"].startswith("failed\nTraceback")


def test_package_is_light_and_knows_its_names() -> None:
    code = "print('logging' in watchbot.__dict__, 'json' in sys.modules, *watchbot.__all__)"

    heavy, json, *names = run(sys.executable, "-c", f"import sys, watchbot\n{code}").stdout.split()
    assert (heavy, json) == (b"False", b"False")
    assert names == sorted(names)
    assert {b"LogHandler", b"log", b"log_stream", b"merge", b"template", b"work"} <= {*names}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        __import__("watchbot").nothing  # noqa: B018  # the reading of it is the test


def test_line_that_ends_in_cr_is_shown_before_the_next_is_there() -> None:
    words = [str(BIN / "watchbot-log")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b" 10%\r 20%\r")
        process.stdin.flush()
        first = process.stdout.readline()
        process.stdin.write(b"\nabc\r")
        process.stdin.flush()
        second = process.stdout.readline()
        process.stdin.write(b"\r\ndone\n")
        process.stdin.close()
        rest = process.stdout.read()

    assert first.endswith(b"]  20%\n")
    assert second.endswith(b"] abc\n")
    assert rest.endswith(b"] done\n")


def test_lines_of_a_bar_that_never_rests_are_shown() -> None:
    code = "import sys\nwhile True: sys.stdout.write('busy\\r')"
    shell = f"'{sys.executable}' -c \"$CODE\" 2>/dev/null | '{BIN / 'watchbot-log'}' | head -n 1"

    done = run("sh", "-c", shell, env={"CODE": code})

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"] busy\n")


def test_lines_of_a_bar_that_has_ended_are_kept_as_they_are() -> None:
    assert logged(stdin=b"1%\r2%\r\nend\r").endswith(b"] end\r\n")


def test_input_that_cannot_be_read_is_named() -> None:
    shell = f"'{BIN / 'watchbot-log'}' 0>/dev/null"

    done = run("sh", "-c", shell)

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"watchbot-log: cannot read standard input: Bad file descriptor\n"
