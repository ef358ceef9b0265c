"""Our log has the reports of libraries and interpreter, each in one line."""

import json
import subprocess
import sys

import pytest

CASES = {
    "library": "import logging; logging.getLogger('botocore.x').warning('a\\nb %s', 'c')",
    "traceback": (
        "import logging\ntry:\n    1 / 0\nexcept Exception:\n"
        "    logging.getLogger('asyncio').error('never retrieved', exc_info=True)"
    ),
    "misfit": "import logging; logging.getLogger('urllib3').error('%d', 'no number')",
    "warning": "import warnings; warnings.warn('old\\nthing', stacklevel=1)",
    "uncaught": "raise TypeError('of our own\\nmaking')",
    "thread": (
        "import threading\ndef f():\n    raise TypeError('there')\n"
        "t = threading.Thread(target=f); t.start(); t.join()"
    ),
    "unraisable": "class A:\n    def __del__(self): raise TypeError('late')\nA()",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("structured", [True, False])
def test_stranger_speaks_in_one_line_of_our_log(case: str, structured: bool) -> None:
    script = (
        f"from watchbot.logs import setup\nsetup.configure(structured={structured})\n{CASES[case]}"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    (line,) = done.stdout.splitlines()
    assert done.stderr == ""
    assert done.returncode == (1 if case == "uncaught" else 0)
    if structured:
        fields = json.loads(line)
        assert fields["name"] == "watcher"
        assert fields["msg"]


def test_tool_is_not_interrupted_by_libraries() -> None:
    script = (
        "import logging; from watchbot.logs import strangers; strangers.quietly()\n"
        "logging.getLogger('botocore').warning('chatter', exc_info=ValueError('x'))\n"
        "logging.getLogger('asyncio').error('lost')\n"
        "logging.getLogger('watchbot.progress').warning('ours')"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stderr.splitlines() == ["watchbot: lost", "watchbot: ours"]
