"""The verbs that only read: they put all messages back unchanged."""

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TextIO

from watchbot.aws import open_client
from watchbot.deadletter import letter, logs
from watchbot.deadletter.desk import LetterDesk, LetterRequest
from watchbot.errors import SettingError, WatchbotError
from watchbot.settings.base import describe
from watchbot.settings.whereabouts import elsewhere_than_aws, is_below_aws

SPOOL_BYTES = 4 * 1024 * 1024  # in memory; more goes to a file


async def list_all(desk: LetterDesk) -> int:
    """Prints a line for each chosen message; returns the exit code."""
    await listed(desk)
    return desk.concluded()


async def listed(desk: LetterDesk) -> bool:
    """Prints a line for each chosen message; returns whether there was one."""
    as_json, found = desk.request.as_json, False
    form = letter.as_json if as_json else letter.line
    with _printed_after() as file:
        async with desk.walk() as walk:
            async for messages in desk.meant(walk):
                if not (found or as_json):
                    file.write(f"{letter.COLUMNS}\n")
                found = True
                file.writelines(f"{form(desk.summary(each))}\n" for each in messages)
    if not (found or as_json):
        desk.say_none()
    return found


async def show(desk: LetterDesk) -> int:
    """Prints all facts about the named messages; returns the exit code."""
    found: list[dict[str, Any]] = []
    async with desk.walk() as walk:
        async for messages in desk.meant(walk):
            found += map(desk.everything, messages)
    _print(map(letter.as_json if desk.request.as_json else letter.page, found))
    return desk.concluded()


async def summary(desk: LetterDesk) -> int:
    """Counts messages by reason and fingerprint, and shows the newest; returns the exit code."""
    counts: Counter[tuple[str | None, str | None]] = Counter()
    newest: dict[tuple[str | None, str | None], dict[str, Any]] = {}
    async with desk.walk() as walk:
        async for messages in desk.meant(walk):
            for facts in map(desk.summary, messages):
                kind = facts["reason"], facts["fingerprint"]
                counts[kind] += 1
                if kind not in newest or (facts["sent"] or "") >= (newest[kind]["sent"] or ""):
                    newest[kind] = facts
    kinds = [{"count": count, "newest": newest[kind]} for kind, count in counts.most_common()]
    if desk.request.as_json:
        _print(map(letter.as_json, kinds))
    else:
        _print([f"{'COUNT':>6}  {letter.COLUMNS}"] if kinds else [])
        _print(f"{count:>6}  {letter.line(newest[kind])}" for kind, count in counts.most_common())
        if not kinds:
            desk.say_none()
    return desk.concluded()


async def export(desk: LetterDesk) -> int:
    """Writes messages to a file that only this user can read, as JSON lines; the exit code."""
    path, written = desk.request.words[0], 0
    with _saving(path):
        file = _opened(desk.request)
    with _saving(path), file:
        async with desk.walk() as walk:
            async for messages in desk.meant(walk):
                written += len(messages)
                lines = (letter.as_json(desk.everything(each)) for each in messages)
                with _saving(path):
                    file.writelines(f"{line}\n" for line in lines)
    if not written:
        desk.say_none()
    desk.shown.say(f"{written} messages {'would be ' if desk.request.dry_run else ''}written")
    return desk.concluded()


async def show_logs(desk: LetterDesk) -> int:
    """Prints the workers' log lines about one message; returns 1 if there are none."""
    message_id = desk.request.words[0]
    log_group = log_group_of(desk)
    async with desk.walk() as walk:
        async for messages in desk.meant(walk):
            message_id = letter.origin(messages[0])
    text = await logs_of(desk, log_group, message_id)
    if desk.request.as_json:
        _print([letter.as_json({"id": message_id, "log_group": log_group, "logs": text})])
    else:
        sys.stdout.write(letter.visible(text, keep="\n\t"))
    if not text:
        desk.shown.say(f"no line about {message_id} in {log_group}; see --since")
    return 0 if text else 1


async def logs_of(desk: LetterDesk, log_group: str, message_id: str) -> str:
    """The workers' log lines about a message; see `recent`.

    Raises `SettingError` if the queue is on a server of the user's, and the user named no server
    for logs.
    """
    url = desk.dead_queue.dead_letter_queue_url
    async with open_client("logs", desk.settings.aws.in_region_of(url)) as client:
        if (elsewhere := elsewhere_than_aws(url)) and is_below_aws(client.server):
            raise SettingError(
                describe("endpoint_url"),
                f"the queue is on {elsewhere}, and CloudWatch Logs would be asked on AWS; name the "
                "server that has the logs",
            )
        return await logs.recent(client, log_group, message_id, desk.settings.since)


def log_group_of(desk: LetterDesk) -> str:
    """The log group. Raises `SettingError` if it is unknown."""
    if desk.dead_queue.log_group is None:
        raise SettingError(
            describe("log_group"), "is not known; name it, or the stack (--stack-name)"
        )
    return desk.dead_queue.log_group


@contextmanager
def _printed_after() -> Iterator[IO[str]]:
    """Opens a file whose text is printed at the end, also after an error.

    So a slow reader, as a person in a pager, does not keep messages hidden.
    """
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES, "w+", encoding="utf-8") as file:
        try:
            with _saving("the temporary directory (TMPDIR)"):
                yield file
        finally:
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout)
            sys.stdout.flush()


@contextmanager
def _saving(path: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise SettingError("FILE", f"{path!r} exists; name another, or add --yes") from None
    except OSError as fault:
        raise WatchbotError(f"cannot write {path!r}: {fault.strerror}") from fault


def _opened(request: LetterRequest) -> TextIO:
    if request.dry_run:
        return open(os.devnull, "w")
    mode = os.O_TRUNC if request.yes else os.O_EXCL
    file = os.open(request.words[0], os.O_WRONLY | os.O_CREAT | mode, 0o600)
    return open(file, "w", encoding="utf-8")


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
