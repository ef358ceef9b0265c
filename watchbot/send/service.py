"""`watchbot send`: one message, or the lines of a file, to a topic or a queue."""

import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TextIO

from watchbot.display import display
from watchbot.errors import SettingError, WatchbotError
from watchbot.moment import to_text
from watchbot.send.later import ScheduledDestination
from watchbot.send.lines import lines, whole
from watchbot.send.options import Shipment, planned
from watchbot.send.pointing import open_publisher
from watchbot.send.report import SendReport
from watchbot.settings.base import describe
from watchbot.settings.send import SendSettings
from watchbot.sqs.destination import Destination, open_destination
from watchbot.sqs.publish import Publisher

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The streams of a command; `stdin` is a file descriptor."""

    stdin: int
    out: TextIO
    err: TextIO


async def send(
    settings: SendSettings, *, quiet: bool = False, streams: Streams | None = None
) -> int:
    """Sends the messages that `settings` describe; returns 0 when all were sent, else 1.

    Prints the id of each sent message, unless `quiet`, and each failure on standard error. Raises
    `SettingError` before it sends anything, and `AwsError` when it can send no more.
    """
    plan = planned(settings)
    streams = streams or Streams(stdin=0, out=sys.stdout, err=sys.stderr)
    async with AsyncExitStack() as house:
        destination = await house.enter_async_context(_destination(plan, settings))
        publisher = await open_publisher(house, destination, plan.target, settings)
        code = await carry_out(plan, publisher, streams, quiet=quiet)
    if plan.when.scheduler and plan.when.at and code == 0 and not quiet:
        keeper, at = plan.when.scheduler.url, to_text(plan.when.at)
        print(f"watchbot: {keeper} sends it at {at}; the id is a job's name", file=streams.err)
    return code


@asynccontextmanager
async def _destination(plan: Shipment, settings: SendSettings) -> AsyncIterator[Destination]:
    if plan.when.scheduler and plan.when.at:
        yield ScheduledDestination(plan.when.scheduler, plan.target, plan.when.at)
        return
    async with open_destination(plan.target, settings.aws) as destination:
        yield destination


async def carry_out(
    plan: Shipment, publisher: Publisher, streams: Streams, *, quiet: bool = False
) -> int:
    """Carries out a plan through `publisher`; see `send`.

    Sends a body unchanged, byte for byte. Sends each line of a file, without its LF or CRLF, as
    soon as it is read; skips blank lines, and counts them on standard error.
    """
    with _opened(plan, streams) as source:
        if plan.file is None:
            return await _send_body(plan, publisher, streams, source, quiet)
        return await _send_lines(plan, publisher, streams, source, quiet)


async def _send_body(
    plan: Shipment, publisher: Publisher, streams: Streams, source: int, quiet: bool
) -> int:
    body = plan.body if plan.body != STDIN else _text(await whole(source, plan.most_bytes))
    if not body:
        raise SettingError("BODY", "is empty; SQS refuses an empty message")
    with display(streams.err, progress=False, total=None) as shown:
        report = SendReport(out=None if quiet else streams.out, say=shown.say, numbered=False)
        async for result in publisher.publish([plan.message(body)]):
            report.add(1, result)
        # After an `AwsError`, its own text says more.
        report.conclude(blank=0)
    return report.exit_code


async def _send_lines(
    plan: Shipment, publisher: Publisher, streams: Streams, source: int, quiet: bool
) -> int:
    # Ids on a terminal already show the progress.
    progress = not quiet and streams.err.isatty() and not streams.out.isatty()
    blank = 0
    with display(streams.err, progress=progress, total=_size_bytes(source)) as shown:
        report = SendReport(out=None if quiet else streams.out, say=shown.say, numbered=True)
        try:
            async for part in _numbered(source, plan.most_bytes):
                filled = [(number, line) for number, line in part if line.strip()]
                blank += len(part) - len(filled)
                pending = iter(filled)
                messages = (plan.message(_text(line)) for _, line in filled)
                async for result in publisher.publish(messages):
                    number, line = next(pending)
                    report.add(number, result)
                    shown.advance(len(line) + 1)
        except WatchbotError:
            report.break_off()
            raise
        report.conclude(blank)
    return report.exit_code


async def _numbered(source: int, most_bytes: int) -> AsyncIterator[list[tuple[int, bytes]]]:
    count = 0
    async for part in lines(source, most_bytes):
        yield list(enumerate(part, count + 1))
        count += len(part)


@contextmanager
def _opened(plan: Shipment, streams: Streams) -> Iterator[int]:
    if plan.file is None or plan.file == STDIN:
        yield streams.stdin
        return
    try:
        file = open(plan.file, "rb", buffering=0)  # noqa: SIM115 - closed below
    except OSError as fault:
        raise SettingError(
            describe("file"), f"cannot read {plan.file!r}: {fault.strerror}"
        ) from fault
    with file:
        yield file.fileno()


def _size_bytes(source: int) -> int | None:
    about = os.fstat(source)
    return about.st_size if stat.S_ISREG(about.st_mode) else None


def _text(line: bytes) -> str:
    return line.decode(errors="surrogateescape")  # refused later, with a reason
