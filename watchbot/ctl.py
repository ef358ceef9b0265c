"""Runs `watchbot ctl`: a worker's requests from a shell. Starts fast, with the standard library."""

import os
import sys
from collections.abc import Callable

from watchbot import control, inherited
from watchbot.control import MOST_CHECKPOINT
from watchbot.errors import UsageError, WatchbotError

USAGE = "VERB [--message ID] [ARG]..."
ABOUT = """\
Ask the watcher that runs this worker for something. In a batch or with --warm, --message names
the message that is meant.
"""
VERBS = """\
retry-after S             if the message comes back, have it come back after S seconds
reject [REASON]           delete the message and tell somebody, whatever the exit code is
progress FRACTION [TEXT]  tell how much is done, as 0.4 or 40%, for the log and the page
checkpoint [FILE|-]       store up to 256 KiB for the next run; default: standard input
resume                    print the checkpoint that an earlier run stored
extend S                  move the end of --max-job-duration; print the seconds left
deadline                  print the seconds left until the watcher ends this run
"""
ENDS = """\
Exits with 0 once that is done; with 1 if the watcher refuses, or has no checkpoint to print; with
2 outside a run.
"""
HELP = f"usage: watchbot ctl {USAGE}\n\n{ABOUT}\n{VERBS}\n{ENDS}"


def main(words: list[str] | None = None) -> int:
    """Runs one request; returns the exit code. Prints an error as one line on standard error."""
    inherited.put_right()
    given = sys.argv[1:] if words is None else words
    if not given or given[0] in ("-h", "--help"):
        os.write(1 if given else 2, HELP.encode())
        return 0 if given else 2
    try:
        return _run(*_parsed(given))
    except WatchbotError as error:
        text = " ".join(str(error).split())
        os.write(2, f"watchbot ctl: {text}\n".encode(errors="backslashreplace"))
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parsed(words: list[str]) -> tuple[str, str | None, list[str]]:
    """The verb, the message's id if there is one, and the arguments of the verb."""
    verb, *rest = words
    if verb not in _VERBS:
        raise UsageError(f"no such verb: {verb!r}; it must be one of {', '.join(_VERBS)}")
    message = None
    while rest and rest[0].startswith("--"):
        name, equals, value = rest[0].partition("=")
        if name == "--":
            return verb, message, rest[1:]
        if name == "--help":
            os.write(1, HELP.encode())
            raise SystemExit(0)
        if name != "--message":
            raise UsageError(f"no such option: {name}; there is only --message ID")
        if not equals and len(rest) == 1:
            raise UsageError("--message needs the id of a message")
        message, rest = (value, rest[1:]) if equals else (rest[1], rest[2:])
    return verb, message, rest


def _run(verb: str, message: str | None, words: list[str]) -> int:
    most, run = _VERBS[verb]
    if len(words) > most:
        raise UsageError(f"{verb} takes at most {most} argument{'s' * (most != 1)}")
    printed = run(message, words)
    if printed is None:
        return 0
    while printed:
        printed = printed[os.write(1, printed) :]
    return 0


def _retry_after(message: str | None, words: list[str]) -> None:
    control.retry_after(_seconds(words, "retry-after"), message)


def _reject(message: str | None, words: list[str]) -> None:
    control.reject(" ".join(words), message)


def _progress(message: str | None, words: list[str]) -> None:
    if not words:
        raise UsageError("progress needs a fraction, as 0.4 or 40%")
    share = words[0].removesuffix("%")
    fraction = _number(share) / (1 if share == words[0] else 100)
    if not 0 <= fraction <= 1:
        raise UsageError(f"the fraction must be from 0 to 1, or 0% to 100%, not {words[0]!r}")
    control.progress(fraction, " ".join(words[1:]), message)


def _checkpoint(message: str | None, words: list[str]) -> None:
    name = words[0] if words else "-"
    try:
        with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:
            content = file.read(MOST_CHECKPOINT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    if len(content) > MOST_CHECKPOINT:
        raise UsageError(f"a checkpoint has at most {MOST_CHECKPOINT:,} bytes, and {name} has more")
    control.checkpoint(content, message)


def _resume(message: str | None, words: list[str]) -> bytes:
    content = control.resume(message)
    if content is None:
        raise WatchbotError("no earlier run has stored a checkpoint")
    return content


def _extend(message: str | None, words: list[str]) -> bytes:
    return f"{control.extend(_seconds(words, 'extend'), message):g}\n".encode()


def _deadline(message: str | None, words: list[str]) -> bytes:
    return f"{control.deadline(message):g}\n".encode()


def _seconds(words: list[str], verb: str) -> float:
    if not words:
        raise UsageError(f"{verb} needs a number of seconds")
    return _number(words[0])


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if 0 <= number < float("inf"):
        return number
    raise UsageError(f"{word!r} is no number from 0")


_MANY = 1_000_000
_VERBS: dict[str, tuple[int, Callable[[str | None, list[str]], bytes | None]]] = {
    "retry-after": (1, _retry_after),
    "reject": (_MANY, _reject),
    "progress": (_MANY, _progress),
    "checkpoint": (1, _checkpoint),
    "resume": (0, _resume),
    "extend": (1, _extend),
    "deadline": (0, _deadline),
}
