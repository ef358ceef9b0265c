"""Processes that stay, or get a batch: what they have in common, and those that read lines."""

import asyncio
import json
import os
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence

from tests.simulation.watcher.history import Planned
from tests.simulation.watcher.known import Run
from tests.simulation.watcher.processes import Machine, Process
from watchbot.listen.care import Ending
from watchbot.listen.spawn import Start

READ_BYTES = 65_536
SIGPIPE = 13
BRIEF_S = (0.02, 0.02, 0.3, 2)  # from the start of a process to its first work
STARTS = ("absent", "ends", "slow", "early", "hangs_up", "deaf")  # how one goes wrong


class Talker(Process):
    """A process that is handed messages, and answers them.

    `odd` is how its start goes wrong, if it does. It works on one message after the other, as
    their plans say; `finish` hears that the first of those in hand is worked on to its end.
    """

    def __init__(self, machine: Machine, start: Start, odd: str, *, stays: bool) -> None:
        super().__init__(machine)
        self.odd, self.stays = odd, stays
        self.number = int(start.environment[b"WATCHBOT_WORKER"])
        self.in_hand: deque[tuple[Run, Planned]] = deque()  # and not answered
        self.at_work, self.ready = True, False
        chance = machine.world.chance
        self.later(chance.uniform(1, 20) if odd == "slow" else chance.choice(BRIEF_S), self.begin)
        if odd == "ends":
            self.later(chance.uniform(0, 0.5), self.exits, 1)

    @property
    def stubborn(self) -> bool:
        return any(plan.stubborn for _, plan in self.in_hand)

    def ended(self, how: str, ending: Ending) -> None:
        by_code = not self.stays and not self.told_to_end and ending.exit_code in (0, 3)
        for run, _ in self.in_hand:
            self.machine.laws.ends(run, how, finished=by_code)
            self.machine.laws.answers.process_over(run, ending, told=self.told_to_end)

    def begin(self) -> None:
        """Is ready to work."""
        self.at_work, self.ready = False, True
        self.work_on()

    def take(self, received: Sequence[tuple[str, int]]) -> None:
        """Gets messages."""
        laws, plan = self.machine.laws, self.machine.plan
        laws.answers.hands_over(self, [run for run, _ in self.in_hand], received)
        runs = self.machine.hand_over(self, received, self.number)
        self.in_hand.extend((run, plan(run.message_id)) for run in runs)
        self.work_on()

    def work_on(self) -> None:
        """Works on the first message in hand, unless it is at work."""
        if self.at_work or self.exited.done():
            return
        if self.in_hand:
            self.at_work = True
            self.later(self.in_hand[0][1].lasts, self._worked)
        else:
            self.idle()

    def idle(self) -> None:
        """Has nothing to work on."""

    @abstractmethod
    def finish(self, run: Run, plan: Planned) -> None:
        """Has worked on a message to its end, and lives."""

    def _worked(self) -> None:
        if self.exited.done():
            return
        run, plan = self.in_hand[0]
        if plan.code < 0 or plan.code == 127:
            self.exits(plan.code)
        elif plan.how != "hang":
            self.finish(run, plan)


class LineProcess(Talker):
    """One that reads lines, and answers on descriptor 3; a `bare` one knows nothing of that."""

    def __init__(
        self, machine: Machine, start: Start, odd: str, *, stays: bool, bare: bool
    ) -> None:
        super().__init__(machine, start, odd, stays=stays)
        assert start.channel is not None
        self._bare = bare
        self._input, self._output = os.dup(start.channel.stdin), os.dup(start.channel.answers)
        self._open = {self._input, self._output}
        os.set_blocking(self._input, False)
        self._partial, self._at_end, self._broken = b"", False, False
        self._skipped: list[tuple[Run, Planned]] = []
        machine.outside.run(asyncio.get_running_loop().add_reader, self._input, self._hear)
        if odd == "early":
            self.later(machine.world.chance.uniform(0, 3), self._speak_unasked)
        elif odd == "hangs_up":
            self._close(self._output)
        elif odd == "deaf" and stays:
            self._stop_reading()
        elif odd == "deaf":
            self.later(0, self.exits, 1)

    def ended(self, how: str, ending: Ending) -> None:
        self.in_hand.extendleft(reversed(self._skipped))
        if self._broken:  # whatever its exit code may say
            self.told_to_end = True
        super().ended(how, ending)
        self._stop_reading()
        self._close(self._output)

    def close(self) -> None:
        for file in list(self._open):
            self._close(file)

    def orphaned(self) -> None:
        self._at_end = True
        self._stop_reading()
        self._close(self._output)
        self.work_on()

    def work_on(self) -> None:
        if not self._bare:
            super().work_on()
        elif self._at_end and not self.at_work and not self.exited.done():
            self.at_work = True
            plans = [plan for _, plan in self.in_hand]
            lasts, code = max((plan.lasts, plan.code) for plan in plans) if plans else (0, 0)
            if not any(plan.how == "hang" for plan in plans):
                self.later(lasts, self.exits, code)

    def idle(self) -> None:
        if self._at_end:
            self.exits(0)

    def finish(self, run: Run, plan: Planned) -> None:
        self.at_work = False
        if plan.how == "torn":
            self._write(b'{"exit": 0')
            self.exits(1)
            return
        self.in_hand.popleft()
        if plan.how == "hangup":
            self._close(self._output)
        if plan.how == "skip" or self._output not in self._open:
            self._skipped.append((run, plan))
        elif plan.how == "garbage":
            self._break(run, b"what?\n")
        else:
            self._answer(run, plan)
        self.work_on()

    def _answer(self, run: Run, plan: Planned) -> None:
        if self._skipped or self._broken:  # it is no answer to the message that is next
            self._break(run, _answer(run, plan, named=True))
            return
        twice = plan.how == "twice"
        line = _answer(run, plan, named=twice or self.machine.world.chance.random() < 0.5)
        self.machine.laws.ends(run, f"answer {plan.code}", finished=plan.code in (0, 3))
        self.machine.laws.answers.answered(run, plan.code)
        self._write(line * 2 if twice else line)
        self._broken = twice

    def _break(self, run: Run, line: bytes) -> None:
        """Says what is no answer: nothing that it says from now on is one."""
        self._broken = True
        self.machine.laws.ends(run, "an answer that is none", finished=False)
        self.machine.laws.answers.broke(run)
        self._write(line)

    def _speak_unasked(self) -> None:
        self._broken = self._output in self._open  # else nobody hears it
        self._write(b'{"exit": 0, "id": "nobody"}\n')

    def _write(self, line: bytes) -> None:
        if self.exited.done() or self._output not in self._open:
            return
        try:
            os.write(self._output, line)
        except BrokenPipeError:
            self.over("by SIGPIPE", Ending(exit_code=None, signal=SIGPIPE))

    def _hear(self) -> None:
        data = os.read(self._input, READ_BYTES)
        if not data:
            self._at_end = True
            self._stop_reading()
            self.work_on()
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        messages = list(map(json.loads, lines))
        if messages:
            self.take([(each["MessageId"], each["ApproximateReceiveCount"]) for each in messages])

    def _stop_reading(self) -> None:
        if self._input in self._open:
            asyncio.get_running_loop().remove_reader(self._input)
            self._close(self._input)

    def _close(self, file: int) -> None:
        if file in self._open:
            self._open.remove(file)
            os.close(file)


def _answer(run: Run, plan: Planned, *, named: bool) -> bytes:
    if named:
        return json.dumps({"exit": plan.code, "id": run.message_id}).encode() + b"\n"
    return b"%d words\n" % plan.code
