"""`watchbot ctl`: its words, what it says outside a run, and what it imports."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from watchbot import ctl
from watchbot.listen.control.wire import FIELDS

NO_RUN = "WATCHBOT_CONTROL is not set; only the worker of a watcher has it"


@pytest.fixture(autouse=True)
def _outside_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHBOT_CONTROL", raising=False)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["deadline"], NO_RUN),
        (["reject", "no", "such", "tile"], NO_RUN),
        (["progress", "40%"], NO_RUN),
        (["reject", "--message", "m", "--", "--no"], NO_RUN),
        (["reject", "--message=m"], NO_RUN),
        (["explode"], "no such verb: 'explode'; it must be one of retry-after, reject"),
        (["reject", "--why", "x"], "no such option: --why; there is only --message ID"),
        (["reject", "--message"], "--message needs the id of a message"),
        (["retry-after"], "retry-after needs a number of seconds"),
        (["retry-after", "soon"], "'soon' is no number from 0"),
        (["retry-after", "-1"], "'-1' is no number from 0"),
        (["retry-after", "nan"], "'nan' is no number from 0"),
        (["retry-after", "1", "2"], "retry-after takes at most 1 argument"),
        (["deadline", "1"], "deadline takes at most 0 arguments"),
        (["progress"], "progress needs a fraction, as 0.4 or 40%"),
        (["progress", "40"], "the fraction must be from 0 to 1, or 0% to 100%, not '40'"),
        (["checkpoint", "/no/such/file"], "cannot read /no/such/file: No such file or directory"),
        (["checkpoint", "/"], "cannot read /: Is a directory"),
        (["checkpoint", "/dev/zero"], "a checkpoint has at most 262,144 bytes, and /dev/zero"),
    ],
)
def test_mistake_is_one_line_and_exit_code_2(
    words: Sequence[str], problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ctl.main(list(words)) == 2

    said = capfd.readouterr()
    assert said.err.startswith(f"watchbot ctl: {problem}")
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_watcher_that_is_gone_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHBOT_CONTROL", "/nowhere/.control")

    assert ctl.main(["deadline"]) == 2

    said = capfd.readouterr().err
    assert said == (
        "watchbot ctl: no watcher answers at /nowhere/.control: No such file or directory\n"
    )


def test_help_names_every_verb(capfd: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["--help"]) == 0

    said = capfd.readouterr().out
    assert all(f"\n{verb} " in said for verb in FIELDS)


def test_it_starts_with_few_modules_and_none_but_of_the_standard_library() -> None:
    script = "import sys; sys.argv[1:] = ['ctl', 'deadline']; from watchbot.__main__ import main; "
    script += "before = main(); print(*sys.modules)"
    run = [sys.executable, "-I", "-c", script]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    bare = subprocess.run([*run[:3], "import sys; print(*sys.modules)"], capture_output=True)

    ours = set(loaded) - set(bare.stdout.decode().split())
    outside = {each.partition(".")[0] for each in ours} - sys.stdlib_module_names - {"watchbot"}
    assert outside == set()
    assert ours.isdisjoint({"argparse", "asyncio", "logging", "subprocess", "watchbot.cli"})
