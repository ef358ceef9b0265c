"""`watchbot replay`: runs the command for one message, and says what would become of it."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import anyio

from watchbot.deadletter.letter import visible
from watchbot.errors import UsageError, WatchbotError
from watchbot.lifecycle import Stop
from watchbot.listen import choosing, spawn
from watchbot.listen.backoff import retry_delay
from watchbot.listen.control.opening import open_control
from watchbot.listen.ends import Ends
from watchbot.listen.payloads import open_payloads
from watchbot.listen.report import Report, reported
from watchbot.listen.runner import Job, Runner
from watchbot.listen.spawn import Command
from watchbot.listen.workspace import Workspace, open_workspace
from watchbot.logs.sink import stdout
from watchbot.outcome import COMPLETED, RELEASED, Fate
from watchbot.replay.letters import from_letters
from watchbot.replay.source import from_file, is_file
from watchbot.replay.trial import Showing, Trial
from watchbot.settings.base import TWELVE_HOURS_S
from watchbot.settings.listen import ListenSettings
from watchbot.settings.replay import ReplaySettings
from watchbot.sqs.envelope import Content, open_envelope
from watchbot.sqs.message import Message
from watchbot.sqs.payload import PayloadError

INTERRUPTED = 130


async def replay(
    settings: ReplaySettings, source: str | None, words: Sequence[str], stop: Stop
) -> int:
    """Runs `words` for the message of `source`; returns 0 if that completes it, 1 if not.

    `source` is a file, or the id of a dead letter. Raises `UsageError` and `AwsError`.
    """
    watcher, command = settings.of_watcher(), spawn.resolve(words, shell=settings.shell)
    message = await _message(settings, source, stop)
    if message is None:
        return INTERRUPTED
    _say(f"message {visible(message.id)}, receive {message.receives}")
    report = await _Replay(watcher, command, stop, attached=settings.debugger).run(message)
    _say_result(report, watcher)
    if report.outcome.name == RELEASED.name:
        return INTERRUPTED
    return 0 if report.outcome is COMPLETED else 1


async def _message(settings: ReplaySettings, source: str | None, stop: Stop) -> Message | None:
    """The message that is meant; None after a stop."""
    if settings.dead_letter:
        return await from_letters(settings.of_letters(), source, stop)
    if source is None:
        raise UsageError(
            "MESSAGE is missing; give a file, the id of a dead letter, or --dead-letter before --"
        )
    if is_file(source):
        return from_file(source)
    if not (settings.stack_name or settings.queue_url or settings.dead_letter_queue_url):
        raise UsageError(
            f"{source!r} is no file; to take it for the id of a dead letter, name the queue: "
            "--queue-url, --dead-letter-queue-url or --stack-name"
        )
    return await from_letters(settings.of_letters(), source, stop)


class _Replay:
    """One run of a command, shown."""

    def __init__(
        self, settings: ListenSettings, command: Command, stop: Stop, *, attached: bool
    ) -> None:
        self._settings, self._command, self._stop = settings, command, stop
        self._showing = Showing(say=_say, attached=attached)

    async def run(self, message: Message) -> Report:
        async with AsyncExitStack() as house:
            workspace = house.enter_context(open_workspace(()))
            job = Job(
                message=message,
                content=await self._content(house, workspace, message),
                withheld=lambda: None,
                left_s=lambda: float(TWELVE_HOURS_S),
                leave_seat=lambda: None,
                tell=lambda verdict: None,
            )
            ends = Ends(self._settings, self._stop)
            await house.enter_async_context(open_control(workspace, ends))
            runner = await self._open_runner(house, workspace, ends)
            ending = await house.enter_async_context(anyio.create_task_group())
            ending.start_soon(_end_at_a_stop, self._stop, runner.release_all)
            try:
                [verdict] = await runner.run([job], 0)
            except OSError as error:
                raise WatchbotError(f"this machine cannot start it: {error.strerror}") from error
            await runner.clear(0)
            ending.cancel_scope.cancel()
        return reported(message, job.content, job.asks.amended(verdict))

    async def _content(
        self, house: AsyncExitStack, workspace: Workspace, message: Message
    ) -> Content:
        """The content; with the body that it points to, where `--payload-buckets` is set."""
        content = open_envelope(message, self._settings.envelope)
        payloads = await open_payloads(house, self._settings, workspace)
        try:
            return content if payloads is None else await payloads.fetched(content)
        except PayloadError as error:
            raise WatchbotError(f"payload: {error}") from error

    async def _open_runner(self, house: AsyncExitStack, workspace: Workspace, ends: Ends) -> Runner:
        settings, command = self._settings, self._command
        if settings.warm == "off" and settings.batch_size == 1:
            return Trial(settings, command, workspace, ends, self._showing)
        runner = await choosing.open_runner(house, settings, command, workspace, ends)
        await choosing.start(runner, self._stop)
        handed = "an event of AWS Lambda" if settings.warm == "lambda" else "a line of JSON"
        _say(f"  the message is handed over as {handed}")
        return runner


async def _end_at_a_stop(stop: Stop, end: Callable[[], None]) -> None:
    await stop.draining.wait()
    end()


def _say_result(report: Report, watcher: ListenSettings) -> None:
    usage = report.usage
    used = [f"{report.duration_s:.3f} s"]
    used += [] if usage.cpu_s is None else [f"CPU {usage.cpu_s:.3f} s"]
    used += [] if usage.memory_mb is None else [f"memory {usage.memory_mb:.1f} MB"]
    _say(f"ended with {visible(report.how)} after {', '.join(used)}: {report.outcome.name}")
    _say(f"with a queue: the message {_fate(report, watcher)}")
    if report.outcome.notify:
        _say(f"somebody would be told, with the fingerprint {report.fingerprint}")


def _fate(report: Report, watcher: ListenSettings) -> str:
    receives, outcome = report.message.receives, report.outcome
    if outcome.failed and watcher.max_attempts and receives >= watcher.max_attempts:
        return f"{Fate.BURY.value}, after {watcher.max_attempts} failed runs"
    if outcome.fate is not Fate.RETURN:
        return str(outcome.fate.value)
    pause_s = report.retry_after_s
    if pause_s is None:
        pause_s = retry_delay(receives, watcher.max_backoff, TWELVE_HOURS_S)
    return f"{outcome.fate.value} ({pause_s:g} s)"


def _say(text: str) -> None:
    stdout.write(f"{text}\n".encode(errors="backslashreplace"))
