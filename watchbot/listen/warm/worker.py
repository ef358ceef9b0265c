"""One process that is handed messages, from its start to its end."""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import anyio
from anyio.abc import TaskGroup

from watchbot import metrics
from watchbot.listen import environment
from watchbot.listen.care import Ending, StillRunning
from watchbot.listen.ends import AtWork, Limit, RunCare
from watchbot.listen.output import About, Output
from watchbot.listen.process import Alive
from watchbot.listen.report import UNKNOWN, Run, Verdict
from watchbot.listen.runner import Job
from watchbot.listen.spawn import SpawnError, Start
from watchbot.listen.usage import Meter, Usage
from watchbot.listen.warm.dialogue import (
    Answer,
    BadAnswer,
    Dialogue,
    HungUp,
    NotReady,
    Unasked,
)
from watchbot.listen.warm.in_hand import InHand, Router
from watchbot.listen.warm.shop import Shop
from watchbot.outcome import FAILED, LEFT, TIMED_OUT, Outcome
from watchbot.sqs.message import about

HANG_UP_S = 1.0  # a process that closed its end of the talk has this long to end by itself


class Worker:
    """A process and the talk with it: `live` is its life, and `work` has it work on a batch.

    `known` is set once it is ready for a batch, or over; `over` once it has ended. `cause` is
    `ended` where it ended by itself, `start` where it could not begin to work, else what it was
    told to end for. `runs` are those after which it went on.
    """

    def __init__(
        self, shop: Shop, number: int, scratch: str, more: Mapping[str, str] | None = None
    ) -> None:
        """`more` are variables of this process alone."""
        self._shop, self.number, self.scratch = shop, number, scratch
        self._more = more or {}
        about_none = About(who=f"worker {number}")
        own = Output(about_none, structured=shop.settings.structured_logging)
        self._own, self._router = own, Router(own)
        self.known, self.over = anyio.Event(), anyio.Event()
        self.runs, self.pid, self.looks_at = 0, 0, 0.0
        self.ending: Ending | None = None
        self.cause = "ended"
        self._why: str | None = None
        self.machines_fault: OSError | None = None
        self._left: str | None = None  # why what it has in hand is left to its timeout
        self._scope = anyio.CancelScope()  # of the process: cancelled, it is told to end
        self._limit: Limit | None = None  # of the run under way
        self._in_hand: InHand | None = None
        self._waiting: TaskGroup
        self._rest: Sequence[Answer] = ()
        self._dialogue: Dialogue | None = None
        self._alive: Alive
        self._meter: Meter | None = None  # of the run under way, or of the last one
        self._in_all: Usage | None = None  # what the process has used, once it has ended
        self._care = RunCare(shop.ends, self._left_s, self._facts)
        self._roll = ExitStack()  # has it among the processes at work while it runs

    @property
    def last_words(self) -> str:
        """The last line that it printed while it had no message; may be empty."""
        return self._own.tail.strip().rpartition("\n")[2]

    async def live(self) -> None:
        """Starts the process, and returns when it has ended."""
        try:
            dialogue = await self._open()
            if dialogue is not None:
                await self._live(dialogue)
        finally:
            self._end()

    async def _open(self) -> Dialogue | None:
        try:
            self._dialogue = await self._shop.open_dialogue(self.number, self.scratch)
        except OSError as error:
            self.machines_fault = error
            self._note("start", str(error))
        return self._dialogue

    async def _live(self, dialogue: Dialogue) -> None:
        try:
            with self._scope:
                async with anyio.create_task_group() as self._waiting:
                    await self._execute(dialogue)
                    self._waiting.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                self._rest = dialogue.rest()
                await dialogue.close()

    @property
    def how(self) -> str:
        """How it ended, or why it was ended."""
        return self._why or str(self.ending)

    @property
    def has_messages(self) -> bool:
        """Whether it works on a batch."""
        return self._in_hand is not None

    @property
    def is_leaving(self) -> bool:
        """Whether it has ended, or was told to."""
        return self.over.is_set() or self.cause != "ended"

    def end(self, cause: str, why: str) -> None:
        """Tells the process to end: SIGTERM, and SIGKILL when its grace is over."""
        self._note(cause, why)
        self._scope.cancel()

    async def leave(self, cause: str, why: str, grace_s: float) -> None:
        """Has the process, which has no message, end by itself; returns when it is over."""
        self._note(cause, why)
        if self._dialogue is not None and self._dialogue.leave():
            with anyio.move_on_after(grace_s):
                await self.over.wait()
        self._scope.cancel()
        await self.over.wait()

    async def work(self, batch: Sequence[Job]) -> list[Verdict]:
        """Has the process work on a batch; one verdict for each message, in order.

        Raises `Unasked` when the process had said something before: the messages are as they
        were. Raises `OSError` when the machine cannot start the process.
        """
        began = self._shop.world.now()
        name = self._shop.world.name()
        in_hand = self._in_hand = InHand(
            batch,
            self._router,
            self._output,
            lambda: Run(
                id=name, duration_s=self._shop.world.now() - began, usage=self._usage_of_run
            ),
            self._shop.settings.exit_codes,
        )
        broken = None
        try:
            with self._shop.ends.limited(batch) as limit:
                self._limit = self._care.limit = limit
                broken = await self._talk_to_its_end(in_hand, limit)
            if self.machines_fault is not None and not in_hand.verdicts:
                raise self.machines_fault
            await self._conclude(in_hand, limit, broken)
        finally:
            self._limit = self._in_hand = self._care.limit = None
            if self._meter is not None:
                self._meter.close()
        return in_hand.verdicts

    async def _talk_to_its_end(self, in_hand: InHand, limit: Limit) -> str | None:
        """Returns once all is answered, or what is wrong with an answer."""
        await self._get_known()
        dialogue = self._dialogue
        if self.over.is_set() or dialogue is None:
            return None
        self._alive.catch_up()
        self._meter = Meter(self.pid, self._meter)
        deadline = self._shop.world.wall() + limit.seconds
        try:
            while batch := in_hand.to_hand_over():
                await self._hand(dialogue, in_hand, batch, deadline)
            if not self._shop.stays:
                dialogue.leave()  # where nothing was left to hand over
            while not self._shop.stays:  # its end is awaited, and it has nothing more to say
                await dialogue.answers()
        except Unasked:
            raise
        except HungUp as bad:
            with anyio.move_on_after(HANG_UP_S):
                await self.over.wait()
            return str(bad)
        except BadAnswer as bad:
            return str(bad)
        return None

    async def _get_known(self) -> None:
        if not self.known.is_set():  # else a wait would cost a turn of the event loop
            await self.known.wait()

    async def _hand(
        self, dialogue: Dialogue, in_hand: InHand, batch: Sequence[Job], deadline: float
    ) -> None:
        """Hands over as many of the messages as fit, and takes the answers to these."""
        part = batch[: dialogue.fits(batch)]
        if dialogue.together:
            await in_hand.share(part)
        else:
            await in_hand.begin()
        dialogue.hand(part, deadline)
        if not self._shop.stays and len(part) == len(batch):
            dialogue.leave()
        left = in_hand.left - len(part)
        while in_hand.left > left:
            answers = await dialogue.answers()
            self._alive.catch_up()
            await in_hand.take(answers)

    async def _conclude(self, in_hand: InHand, limit: Limit, broken: str | None) -> None:
        """Gives a verdict to what the process has not answered, once it is over."""
        if broken is None and in_hand.oldest is None and self._shop.stays:
            self.runs += 1
            return
        if self.over.is_set():
            await in_hand.take(self._rest[: in_hand.left])
            await in_hand.close(self._own_outcome, ending=self.ending, reason=self._own_reason)
            return
        outcome, reason = (FAILED, broken) if broken else self._shop.ends.told(limit)
        if outcome is TIMED_OUT and self._dialogue is not None:
            self._dialogue.overdue()
        self.end("answer" if broken else "deadline", reason)
        await self.over.wait()
        if broken is None:
            await in_hand.take(self._rest[: in_hand.left])
        if self._left is not None:
            outcome, reason = LEFT, self._left
        await in_hand.close(outcome, reason=reason)

    @property
    def _usage_of_run(self) -> Usage:
        """What the run has used: all that its process has, where that is for one run."""
        if self._in_all is not None and not self._shop.stays:
            return self._in_all
        return self._meter.read() if self._meter is not None else UNKNOWN

    @property
    def _own_outcome(self) -> Outcome:
        """What becomes of messages that a process which ended by itself has not answered."""
        codes = self._shop.settings.exit_codes
        outcome = FAILED
        if not self._shop.stays and self.ending is not None:
            outcome = codes.outcome(self.ending.exit_code)
        return LEFT if self._left is not None and not outcome.removes else outcome

    @property
    def _own_reason(self) -> str | None:
        if self.ending is None or self._left is not None:
            return self._left or self._why
        return f"ended without an answer: {self.ending}" if self._shop.stays else None

    async def _execute(self, dialogue: Dialogue) -> None:
        shop = self._shop
        variables = environment.standing_environment(
            shop.base, self.number, self.scratch, {**dialogue.variables, **self._more}
        )
        start = Start(
            command=shop.command,
            environment=variables,
            stdin=None,
            mark=b"WATCHBOT_SCRATCH=" + variables[b"WATCHBOT_SCRATCH"],
            channel=dialogue.channel,
        )
        care = self._care
        try:
            self.ending = await shop.run_process(
                start, self._router, care, partial(self._has_begun, dialogue)
            )
        except SpawnError as error:
            self._note("start", f"cannot start: {error}")
            if error.machines_fault:
                self.machines_fault = OSError(error.number, str(error))
        except StillRunning as still:
            self.ending, self._left = still.ending, f"{still}: left to its visibility timeout"
        finally:
            self._in_all = care.usage

    def _has_begun(self, dialogue: Dialogue, alive: Alive) -> bool:
        self._alive, self.pid = alive, alive.pid
        at_work = AtWork(jobs=self._unanswered, limit=lambda: self._care.limit, many=True)
        self._roll.enter_context(self._shop.ends.working(alive.pid, at_work))
        metrics.worker_starts.inc()
        dialogue.started()
        self._waiting.start_soon(self._await_ready, dialogue)
        return True

    async def _await_ready(self, dialogue: Dialogue) -> None:
        try:
            await dialogue.ready()
        except NotReady as error:
            self.end("start", str(error))
        else:
            self.known.set()

    def _note(self, cause: str, why: str) -> None:
        if not self.is_leaving:
            self.cause, self._why = cause, why

    def _end(self) -> None:
        """Notes that the process is over; a run that is under way need wait for it no longer."""
        self._roll.close()
        self.over.set()
        self.known.set()
        if self._limit is not None:
            self._limit.scope.cancel()

    def _output(self, part: Sequence[Job]) -> Output:
        about_them = About.messages([job.message for job in part])
        return Output(about_them, structured=self._shop.settings.structured_logging)

    def _unanswered(self) -> Sequence[Job]:
        return self._in_hand.unanswered if self._in_hand else ()

    def _left_s(self) -> float:
        job = self._in_hand.oldest if self._in_hand else None
        return job.left_s() if job else math.inf

    def _facts(self) -> dict[str, object]:
        job = self._in_hand.oldest if self._in_hand else None
        return about(job.message) if job else {"worker": self.number}
