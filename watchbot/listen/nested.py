"""Refuses a COMMAND of watchbot that never ends: its first message would run for ever.

The search looks behind programs that replace themselves with another program (`env`, `nice`,
`tini`, ...), into the script of a shell, and behind Python. A service that this search misses, as
one inside a script file, stops when it starts: it finds the variables of a worker.
"""

import itertools
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
_WATCHERS = {"listen", "local"}  # the commands of watchbot that wait for messages
_SERVICES = {"record", "schedule"}  # the commands that run for ever without messages
_SCREEN = "top"  # shows figures until Ctrl-C
_JOBS_OF_SCHEDULE = {"custom-resource", "import"}  # subcommands of `schedule` that end
_HELP = {"-h", "--help"}
_OWN_FILE = re.compile(r"watchbot(-\d[\w.+-]*)?(\.pyz)?")
_PYTHON = re.compile(r"(python|pypy)[\d.]*")
_SHELLS = {"ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "zsh"}
_SHELL_WORDS = {"!", "{", "}", "do", "done", "elif", "else", "fi", "if", "then", "until", "while"}
# Programs that replace themselves with another, and the number of arguments before its name.
_WRAPPERS = {
    "aws-vault": 2, "catatonit": 0, "chamber": 2, "chpst": 0, "chroot": 1, "chrt": 1, "command": 0,
    "coproc": 0, "ddtrace-run": 0, "doas": 0, "doppler": 1, "dumb-init": 0, "env": 0, "exec": 0,
    "flock": 1, "gosu": 1, "ionice": 0, "newrelic-admin": 1, "nice": 0, "nohup": 0, "numactl": 0,
    "opentelemetry-instrument": 0, "pipenv": 1, "pipx": 1, "poetry": 1, "prlimit": 0, "runuser": 0,
    "s6-setuidgid": 1, "setarch": 1, "setpriv": 0, "setsid": 0, "stdbuf": 0, "strace": 0,
    "su-exec": 1, "sudo": 0, "systemd-cat": 0, "taskset": 1, "time": 0, "timeout": 1, "tini": 0,
    "tini-static": 0, "unbuffer": 0, "unshare": 0, "uv": 1, "uvx": 0, "xvfb-run": 0,
}  # fmt: skip


def refuse_service(words: Sequence[str]) -> None:
    """Raises `CommandError` if these words of a command line start a service of watchbot."""
    _refuse(_service(words), " ".join(words))


def refuse_service_in(script: str) -> None:
    """Raises `CommandError` if a command of a shell's script starts a service of watchbot."""
    _refuse(_service_in_script(script), script)


def _refuse(service: str, given: str) -> None:
    if service in _WATCHERS:
        raise CommandError(given, f"it is a watcher, and would never end; {ADVICE}")
    if service == _SCREEN:
        raise CommandError(given, "it shows figures until Ctrl-C, and would never end; add --once")
    if service:
        raise CommandError(
            given,
            f"`watchbot {service}` is a service, and would never end; give the worker's own "
            f"command, and run `watchbot {service}` in a container of its own",
        )


def _service(words: Sequence[str]) -> str:
    """The service of watchbot that these words start, or an empty text."""
    if not words:
        return ""
    name = PurePath(words[0]).name
    if _is_own(words[0]):
        return _own_service(words[1:])
    if _PYTHON.fullmatch(name):
        return _service_in_python(words[1:])
    if name in _SHELLS:
        return _service_in_shell(words)
    return _wrapped_service(name, words[1:]) if name in _WRAPPERS else ""


def _own_service(words: Sequence[str]) -> str:
    commands = itertools.dropwhile(lambda word: word.startswith("-"), words)
    command, options = next(commands, ""), list(commands)
    if command in _WATCHERS:
        return command
    ends = (
        not _HELP.isdisjoint(options)
        or (command == "schedule" and not _JOBS_OF_SCHEDULE.isdisjoint(options[:1]))
        or (command == _SCREEN and "--once" in options)
    )
    return command if command in {*_SERVICES, _SCREEN} and not ends else ""


def _service_in_script(script: str) -> str:
    return next(filter(None, map(_service, _commands(script))), "")


def _is_own(word: str) -> bool:
    if _OWN_FILE.fullmatch(PurePath(word).name):
        return True
    found = shutil.which(word)  # a link to it may have any name
    return found is not None and PurePath(os.path.realpath(found)).name == "watchbot"


def _service_in_python(words: Sequence[str]) -> str:
    for index, word in enumerate(words):
        if word == "-m" or word.startswith("-m"):
            module = word[2:] or "".join(words[index + 1 : index + 2])
            rest = words[index + (1 if word[2:] else 2) :]
            return _own_service(rest) if module in {"watchbot", "watchbot.cli"} else ""
        if word == "-c":
            return ""
        if not word.startswith("-") and (index == 0 or words[index - 1] not in {"-W", "-X"}):
            return _service(words[index:])
    return ""


def _service_in_shell(words: Sequence[str]) -> str:
    for index, word in enumerate(words[1:], 1):
        if re.fullmatch(r"-[a-z]*c[a-z]*", word):
            options = (each for each in words[index + 1 :] if not each.startswith("-"))
            return _service_in_script(next(options, ""))
        takes_value = re.fullmatch(r"[-+]\w*[oO]", words[index - 1])  # as in `-eo pipefail`
        if not word.startswith(("-", "+")) and not takes_value:
            return _service(words[index:])  # busybox takes the name of the program to be
    return ""


def _wrapped_service(name: str, words: Sequence[str]) -> str:
    own, after_option = _WRAPPERS[name], False
    for index, word in enumerate(words):
        if service := _service(words[index:]):
            return service
        if name == "env" and word in {"-S", "--split-string"}:
            return _service_in_script("".join(words[index + 1 : index + 2]))
        if name == "env" and (split := re.fullmatch(r"(?:-S|--split-string=)(.+)", word, re.S)):
            return _service_in_script(split[1])
        is_option = word.startswith("-") and word != "--"
        if not is_option and word != "--" and "=" not in word and not after_option:
            own -= 1
            if own < 0:
                return ""
        after_option = is_option and "=" not in word
    return ""


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
    except ValueError:  # quotes that shlex cannot parse, but a shell may
        return
    yield command
