"""Tells a COMMAND that is a watcher itself: one message of the outer watcher would run for ever.

It is looked for behind the programs that become another one (`env`, `nice`, `tini`, ...), in what
a shell is given, and behind Python. What hides it better, a script of its own for one, is found
once it runs: by the variables of the worker that it is.
"""

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from watchbot.errors import CommandError

ADVICE = (
    "give the worker's own command alone, without `watchbot listen`: "
    "the ENTRYPOINT of the image may give that"
)
WATCHERS = {"listen", "local"}  # the commands of watchbot that wait for messages
_OWN_FILE = re.compile(r"watchbot(-\d[\w.+-]*)?(\.pyz)?")
_PYTHON = re.compile(r"(python|pypy)[\d.]*")
_SHELLS = {"ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "zsh"}
_SHELL_WORDS = {"!", "{", "}", "do", "done", "elif", "else", "fi", "if", "then", "until", "while"}
# Programs that become the one they are given, and how many words of their own stand before it.
_WRAPPERS = {
    "aws-vault": 2, "catatonit": 0, "chamber": 2, "chpst": 0, "chroot": 1, "chrt": 1, "command": 0,
    "coproc": 0, "ddtrace-run": 0, "doas": 0, "doppler": 1, "dumb-init": 0, "env": 0, "exec": 0,
    "flock": 1, "gosu": 1, "ionice": 0, "newrelic-admin": 1, "nice": 0, "nohup": 0, "numactl": 0,
    "opentelemetry-instrument": 0, "pipenv": 1, "pipx": 1, "poetry": 1, "prlimit": 0, "runuser": 0,
    "s6-setuidgid": 1, "setarch": 1, "setpriv": 0, "setsid": 0, "stdbuf": 0, "strace": 0,
    "su-exec": 1, "sudo": 0, "systemd-cat": 0, "taskset": 1, "time": 0, "timeout": 1, "tini": 0,
    "tini-static": 0, "unbuffer": 0, "unshare": 0, "uv": 1, "uvx": 0, "xvfb-run": 0,
}  # fmt: skip


def refuse_watcher(words: Sequence[str]) -> None:
    """Raises `CommandError` if these words of a command line start a watcher."""
    if _is_watcher(words):
        raise _refusal(" ".join(words))


def refuse_watcher_in(script: str) -> None:
    """Raises `CommandError` if a command of a shell's script starts a watcher."""
    if _script_has_watcher(script):
        raise _refusal(script)


def _refusal(given: str) -> CommandError:
    return CommandError(given, f"it is a watcher, and would never end; {ADVICE}")


def _is_watcher(words: Sequence[str]) -> bool:
    if not words:
        return False
    name = PurePath(words[0]).name
    if _is_own(words[0]):
        return _first_command(words[1:]) in WATCHERS
    if _PYTHON.fullmatch(name):
        return _is_watcher_in_python(words[1:])
    if name in _SHELLS:
        return _is_watcher_in_shell(words)
    return name in _WRAPPERS and _wraps_watcher(name, words[1:])


def _script_has_watcher(script: str) -> bool:
    return any(_is_watcher(command) for command in _commands(script))


def _is_own(word: str) -> bool:
    if _OWN_FILE.fullmatch(PurePath(word).name):
        return True
    found = shutil.which(word)  # a link to it may have any name
    return found is not None and PurePath(os.path.realpath(found)).name == "watchbot"


def _first_command(words: Sequence[str]) -> str:
    return next((word for word in words if not word.startswith("-")), "")


def _is_watcher_in_python(words: Sequence[str]) -> bool:
    for place, word in enumerate(words):
        if word == "-m" or word.startswith("-m"):
            module = word[2:] or "".join(words[place + 1 : place + 2])
            rest = words[place + (1 if word[2:] else 2) :]
            return module in {"watchbot", "watchbot.cli"} and _first_command(rest) in WATCHERS
        if word == "-c":
            return False
        if not word.startswith("-") and (place == 0 or words[place - 1] not in {"-W", "-X"}):
            return _is_watcher(words[place:])
    return False


def _is_watcher_in_shell(words: Sequence[str]) -> bool:
    for place, word in enumerate(words[1:], 1):
        if re.fullmatch(r"-[a-z]*c[a-z]*", word):
            options = (each for each in words[place + 1 :] if not each.startswith("-"))
            return _script_has_watcher(next(options, ""))
        takes_value = re.fullmatch(r"[-+]\w*[oO]", words[place - 1])  # as in `-eo pipefail`
        if not word.startswith(("-", "+")) and not takes_value:
            return _is_watcher(words[place:])  # busybox takes the name of what it is to be
    return False


def _wraps_watcher(name: str, words: Sequence[str]) -> bool:
    own, after_option = _WRAPPERS[name], False
    for place, word in enumerate(words):
        if _is_watcher(words[place:]):
            return True
        if name == "env" and word in {"-S", "--split-string"}:
            return _script_has_watcher("".join(words[place + 1 : place + 2]))
        if name == "env" and (split := re.fullmatch(r"(?:-S|--split-string=)(.+)", word, re.S)):
            return _script_has_watcher(split[1])
        is_option = word.startswith("-") and word != "--"
        if not is_option and word != "--" and "=" not in word and not after_option:
            own -= 1
            if own < 0:
                return False
        after_option = is_option and "=" not in word
    return False


def _commands(script: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(script, posix=True, punctuation_chars="();<>|&\n`")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    command: list[str] = []
    try:
        for token in lexer:
            if set(token) <= set("();<>|&\n`"):
                yield command
                command = []
            elif command or (token not in _SHELL_WORDS and not re.match(r"\w+=|\$$", token)):
                command.append(token)
    except ValueError:  # quotes that shlex does not understand; a shell may
        return
    yield command
