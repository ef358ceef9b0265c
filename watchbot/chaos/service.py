"""`watchbot chaos`: a calm round and a disturbed one, and what the difference says."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random, SystemRandom
from tempfile import TemporaryDirectory

from watchbot.chaos import effect
from watchbot.chaos.bodies import INJECTED, subjects
from watchbot.chaos.findings import Seen, findings
from watchbot.chaos.leak import memory_of
from watchbot.chaos.plan import plans
from watchbot.chaos.report import as_json, page, passed
from watchbot.chaos.round import Round, Tools
from watchbot.chaos.traces import files, heard
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop
from watchbot.listen import choosing, spawn
from watchbot.listen.control.opening import open_control
from watchbot.listen.ends import Ends
from watchbot.listen.spawn import Command
from watchbot.listen.workspace import open_workspace
from watchbot.logs.sink import stdout
from watchbot.settings.chaos import ChaosSettings, give_directory
from watchbot.settings.listen import ListenSettings

INTERRUPTED = 130
MOST_SEED = 999_999


async def chaos(
    settings: ChaosSettings, words: Sequence[str], stop: Stop, *, json_form: bool
) -> int:
    """Tries a command, and prints a report; returns 1 if something was found, else 0.

    Raises `UsageError` if the command does no message undisturbed, or a script fails.
    """
    trial = _Trial(settings, spawn.resolve(words, shell=settings.shell), stop)
    stdout.mute()  # what workers print is kept for the evidence alone
    with heard() as traces:
        seen = await trial.play()
    if seen is None or stop.draining.is_set():
        return INTERRUPTED
    seen.processes.update(traces.processes(trial.killed))
    found = findings(seen)
    printed = as_json if json_form else page
    sys.stdout.write(printed(seen, found, trial.seed))
    return 0 if passed(found) else 1


@dataclass(frozen=True, slots=True)
class _Place:
    """The resources of one round: what runs the command, and the directory for its effects."""

    tools: Tools
    directory: str


class _Trial:
    def __init__(self, settings: ChaosSettings, command: Command, stop: Stop) -> None:
        self._settings, self._command, self._stop = settings, command, stop
        chosen = settings.seed
        self.seed = SystemRandom().randint(1, MOST_SEED) if chosen is None else chosen
        chance = Random(self.seed)
        self._subjects = subjects(settings, chance)
        self._plans = plans(self._subjects, chance)
        self.killed: set[str] = set()  # the ids of messages of which a run was killed

    async def play(self) -> Seen | None:
        """Plays both rounds, each in an AWS and a directory of its own; None after a stop."""
        async with self._place() as place:
            calm = Round(place.tools, self._stop)
            await calm.calm(self._subjects)
            if self._stop.draining.is_set():
                return None
            self._check_calm(calm)
            before = await self._effect(), files(place.directory)
            injected = INJECTED in os.listdir(place.directory)
        usual_s = {number: notes[0].ended - notes[0].began for number, notes in calm.notes.items()}
        async with self._place() as place:
            disturbed = Round(place.tools, self._stop)
            await disturbed.disturbed(self._plans, usual_s)
            self.killed |= disturbed.killed
            if self._stop.draining.is_set():
                return None
            after = await self._effect(), files(place.directory)
        memory = await self._memory()
        return Seen(
            subjects=self._subjects,
            calm=calm.notes,
            disturbed=disturbed.notes,
            kill_grace_s=self._settings.kill_grace,
            effects=(before[0], after[0]) if self._settings.check else None,
            files=(before[1], after[1]),
            injected=injected,
            memory=memory,
            leak_runs=self._settings.leak_runs,
        )

    def _check_calm(self, calm: Round) -> None:
        """Raises `UsageError` if no message was done: then nothing can be said of disturbances."""
        plain = [calm.notes[each.number] for each in self._subjects if each.odd is None]
        notes = [note for notes in plain for note in notes]
        if any(note.done for note in notes):
            return
        said = f"; it said: {notes[0].last_words}" if notes[0].last_words else ""
        raise UsageError(
            f"COMMAND does no message undisturbed; the first ended with {notes[0].how}{said}; "
            "give messages that it can do: --send BODY, or --send-file LINES"
        )

    async def _effect(self) -> str:
        check = self._settings.check
        return await effect.output_of("--check", check) if check else ""

    async def _memory(self) -> tuple[int, int] | None:
        if self._settings.warm == "off":
            return None
        async with self._place(slots=2) as place:
            return await memory_of(
                place.tools, self._stop, self._subjects[0], self._settings.leak_runs
            )

    @asynccontextmanager
    async def _place(self, slots: int | None = None) -> AsyncIterator[_Place]:
        # Imported here, as moto takes seconds to load, and a mistake is told before.
        from watchbot.chaos.surroundings import open_aws

        settings = self._settings.of_watcher(slots)
        async with AsyncExitStack() as house:
            directory = house.enter_context(TemporaryDirectory(prefix="watchbot-chaos-"))
            give_directory(directory)
            await open_aws(house)
            if self._settings.reset:
                await effect.output_of("--reset", self._settings.reset)
            tools = await _open_tools(house, settings, self._command, self._stop)
            yield _Place(tools, directory)


async def _open_tools(
    house: AsyncExitStack, settings: ListenSettings, command: Command, stop: Stop
) -> Tools:
    workspace = house.enter_context(open_workspace(()))
    ends = Ends(settings, stop)
    await house.enter_async_context(open_control(workspace, ends))
    runner = await choosing.open_runner(house, settings, command, workspace, ends)
    await choosing.start(runner, stop)
    return Tools(runner=runner, ends=ends, slots=settings.slots)
