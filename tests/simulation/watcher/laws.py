"""Judges what happens by the laws of `promised`."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from tests.simulation.judging import Judge
from tests.simulation.watcher.answers import Answers
from tests.simulation.watcher.history import History
from tests.simulation.watcher.known import Delivery, Known, Life, Run
from tests.simulation.watcher.ledger import Ledger
from tests.simulation.watcher.promised import LAWS
from tests.simulation.watcher.queues import Queues
from tests.support import promises
from watchbot.listen.report import Report
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal

if TYPE_CHECKING:
    from tests.simulation.watcher.processes import Machine

BESIDE = 5  # polls that were under way, and went on side by side
SLACK_S = 0.6  # for the last notices, and for calls of some milliseconds


class Laws(Judge):
    """Watches all that happens."""

    def __init__(self, history: History, now: Callable[[], float]) -> None:
        super().__init__(LAWS, now)
        self.history = history
        self.known: dict[str, Known] = {}
        self.lives: dict[str, Life] = {}
        self.finished = set[str]()
        self.buried = set[str]()
        self.failures: dict[str, int] = defaultdict(int)
        self.runs = 0
        self.deleted_queue = False
        self.groups: dict[str, list[Known]] = defaultdict(list)
        self.ledger = Ledger(history)
        self.answers = Answers(self)
        self.queues = Queues(self)
        self.machines: dict[str, Machine] = {}

    # What happens to the queue.

    def sent(self, message_id: str, name: str, group: str, queue: str) -> None:
        known = Known(message_id, name, f"{queue} {group}", len(self.known), queue, self.now())
        self.known[message_id] = known
        self.groups[known.group].append(known)
        self.say("sender", f"sends {name}{f' of group {group}' if group else ''}")

    def handed_out(self, message_id: str, receipt: str, visibility_s: float) -> None:
        known = self.known[message_id]
        if self.history.calm:
            for watcher, life in self.lives.items():
                for delivery in life.deliveries.values():
                    ours = delivery.message_id == message_id and not delivery.reports
                    text = f"{known.name} is in hand of {watcher}"
                    self.check(life.killed or not ours, "renewed in time", text)
        self._doubt(run for run in self._running() if not self._is_held(run))
        known.receipt, known.hidden_until = receipt, self.now() + visibility_s
        known.receives += 1

    def reappeared(self, message_id: str) -> None:
        """Hears that the queue shows a message that somebody has."""
        self.known[message_id].hidden_until = self.now()
        self.say("queue", f"shows {self.known[message_id].name} again, by a fault of its own")

    def hidden(self, message_id: str, receipt: str, seconds: float) -> None:
        known = self.known.get(message_id)
        if known and known.receipt == receipt and known.hidden_until > self.now():
            known.hidden_until = self.now() + seconds

    def deleted(self, message_id: str, receipt: str) -> None:
        known = self.known[message_id]
        if known.gone or known.receipt != receipt:
            return  # a standard queue says yes to that, and does nothing
        self._check_delete(message_id, known)
        known.gone = True
        if (run := known.last_run) is not None and run.receipt == receipt:
            self.ledger.settled(known, run)
        self.say("queue", f"deletes {known.name}")

    def undeleted(self, message_id: str, receipt: str) -> None:
        """Hears of a delete that the queue says yes to, and forgets."""
        known = self.known[message_id]
        if known.receipt == receipt:
            self._check_delete(message_id, known)
            self.reappeared(message_id)

    def _check_delete(self, message_id: str, known: Known) -> None:
        done = message_id in self.finished or message_id in self.buried
        self.check(done, "finished first", f"{known.name} is deleted, and no worker finished it")
        if self.history.fifo:
            for other in self.before(known):
                self.check(False, "in order", f"{known.name} is deleted before {other.name}")

    def before(self, known: Known) -> list[Known]:
        """The messages before this one in its group that are not done, nor dead."""
        most = self.history.most_receives or math.inf
        return [
            other
            for other in self.groups[known.group]
            if other.place < known.place
            and not other.gone
            and not (other.receives >= most and other.hidden_until <= self.now())
        ]

    # What a watcher asks of the queue.

    def lives_on(self, watcher: str, slots: int, workers: int) -> None:
        self.lives[watcher] = Life(slots, workers)
        self.say(watcher, "starts")

    def polls(self, watcher: str, queue: str, count: int) -> None:
        life = self.lives[watcher]
        if life.killed:
            return
        self.queues.polls(watcher, queue)
        self.check(life.asked_at >= self.now(), "no poll after SIGTERM", watcher)
        self.check(count <= self.history.receive, "in hand", f"{watcher} asks for {count}")
        if (opened_at := life.breaker_opened_at) is not None:
            text = f"{watcher} asks for {count}, its breaker opened at {opened_at:.3f}"
            in_turn = count == 1 and self.now() >= opened_at + 30
            self.check(in_turn or self.now() == opened_at, "breaker", text)
        life.open_polls.append(count)
        life.polls += 1
        held = sum(not each.reports for each in life.deliveries.values())
        asked = sum(life.open_polls)
        text = f"{watcher} has {held}, and asks for {asked} more"
        self.check(held + asked <= life.slots, "in hand", text)

    def polled(self, watcher: str, count: int) -> None:
        if count in self.lives[watcher].open_polls:
            self.lives[watcher].open_polls.remove(count)

    def gives_up(self, watcher: str, reason: str) -> None:
        """Hears that a watcher ends as AWS refuses."""
        self.say(watcher, f"gives up: {reason}")
        may = self.lives[watcher].killed or self.queues.may_give_up(watcher)
        self.check(may, "no crash", f"{watcher} gives up: {reason}")

    def cannot_work(self, watcher: str, reason: str) -> None:
        """Hears that a watcher ends, as its first worker cannot stay."""
        self.say(watcher, f"cannot work: {reason}")
        life = self.lives[watcher]
        no_room = any(event.what == "no_room" for event in self.history.events)
        may = life.killed or ((no_room or "start" in self.history.faults) and not life.deliveries)
        self.check(may, "no crash", f"{watcher} ends: {reason}")

    def received(
        self, watcher: str, queue: str, messages: Sequence[Message], visibility_s: float
    ) -> None:
        life = self.lives[watcher]
        self.queues.received(watcher, queue, len(messages))
        for message in messages:
            until = message.asked_at + visibility_s
            life.deliveries[message.receipt] = Delivery(message.id, until, self.now())
            self.say(watcher, f"receives {self.shown(message.receipt)}")

    def settles(self, watcher: str, queue: str, operation: str, receipts: Sequence[str]) -> None:
        life = self.lives[watcher]
        self.queues.settles(watcher, queue, receipts)
        if life.killed:
            return
        for receipt in receipts:
            delivery = life.deliveries[receipt]
            if not delivery.calls:  # else it is tried again
                life.settled_at = self.now()
            delivery.calls += 1
            text = f"{watcher} asks for a {operation} of {self.shown(receipt)}: {delivery.dead}"
            self.check(not delivery.dead, "no dead receipt", text)

    def waited(self, watcher: str, operation: str, asked_at: float) -> None:
        """Hears that a watcher waits no longer for the answer to a call."""
        waited_s = self.now() - asked_at
        text = f"{watcher} waits {waited_s:.1f} s for the answer to a {operation}"
        froze = any(event.what == "freeze" for event in self.history.events)
        self.check(waited_s <= 5.1 or froze or self.lives[watcher].killed, "tried again", text)

    def answered(
        self, watcher: str, operation: str, receipts: Sequence[str], refusals: Sequence[object]
    ) -> None:
        for receipt, refusal in zip(receipts, refusals, strict=True):
            life = self.lives[watcher]
            delivery = life.deliveries[receipt]
            lost = refusal if isinstance(refusal, Refusal) and refusal.lost else None
            # While a message is being settled, only the answer to that tells.
            tells = operation == "delete" or not delivery.removes
            if tells and (refusal is None or lost):
                life.worked_at = self.now() if delivery.calls > 1 else life.worked_at
                delivery.calls = 0
            if operation == "delete" and refusal is None:
                delivery.dead = "it was deleted"
            elif lost and (operation == "delete" or not delivery.reports):
                delivery.dead = f"the queue said {lost.code}"

    def extended(self, watcher: str, receipt: str, until: float) -> None:
        self.lives[watcher].deliveries[receipt].held_until = until

    # What a watcher runs.

    def starts(self, run: Run) -> None:
        life, known = self.lives[run.watcher], self.known[run.message_id]
        self.runs += 1
        shown = self.shown(run.receipt)
        self.say(run.watcher, f"starts {shown} in slot {run.slot}")
        self._check_slots(run, life)
        self.check(life.asked_at >= self.now(), "no start after SIGTERM", f"{run.watcher}: {shown}")
        delivery = life.deliveries[run.receipt]
        self.check(not delivery.dead, "started in hand", f"{shown}: {delivery.dead}")
        if "twice" not in self.history.faults:
            held = known.receipt == run.receipt and known.hidden_until > self.now()
            self.check(held, "started in hand", f"{shown} is not hidden for {run.watcher}")
        if self.history.gentle:
            beside = [each for each in self._running() if each.message_id == run.message_id]
            self.check(not beside, "nothing twice", f"two runs of {known.name} at once")
        if self.history.fifo:
            self._check_order(run, known)
        delivery.started, delivery.batch = True, run.batch
        known.last_run = run
        self.queues.starts(run)
        life.runs.append(run)
        self._note(run, "start", 0)

    def _check_slots(self, run: Run, life: Life) -> None:
        taken = {each.slot: each.batch for each in life.runs}
        text = f"{run.watcher} starts in slot {run.slot}, and runs in {sorted(taken)}"
        options = self.history.options
        most = 1 if options["writable_filesystem"] else options["concurrency"]
        free = taken.get(run.slot, run.batch) is run.batch and 0 <= run.slot < most
        self.check(free, "slots", text)

    def _check_order(self, run: Run, known: Known) -> None:
        for other in self._running():
            if other.batch is not run.batch and self._is_held(other):
                same = self.known[other.message_id].group == known.group
                text = f"{known.name} starts beside {self.shown(other.receipt)}"
                self.check(not same, "one at a time", text)
        late = [each.name for each in self.before(known) if not self._is_ahead(each, run)]
        self.check(not late, "in order", f"{known.name} starts before {', '.join(late)}")

    def _is_ahead(self, known: Known, run: Run) -> bool:
        """Whether a batch may have a message, and one before it that is not deleted."""
        last, done = known.last_run, known.completion
        with_it = last is not None and last.batch is run.batch
        finished = done is not None and not self._in_vain(done)
        in_batches = self.history.batch_size > 1
        return with_it or (in_batches and (finished or known.message_id in self.buried))

    def _doubt(self, runs: Iterable[Run]) -> None:
        self.ledger.doubt(map(self._numbers, runs))

    def _numbers(self, run: Run) -> promises.Run:
        return self.known[run.message_id].place, list(self.lives).index(run.watcher)

    def _note(self, run: Run, word: str, value: int) -> None:
        _, watcher = self._numbers(run)
        self.ledger.note(self.known[run.message_id], run, watcher, word, value)

    def _running(self) -> list[Run]:
        return [run for life in self.lives.values() for run in life.runs]

    def _is_held(self, run: Run) -> bool:
        known = self.known[run.message_id]
        return known.receipt == run.receipt and known.hidden_until > self.now()

    def ends(self, run: Run, how: str, *, finished: bool) -> None:
        """Hears that a run has ended; `finished`: by itself, with an exit code that removes."""
        life = self.lives[run.watcher]
        life.runs.remove(run)
        life.worked_at = self.now()
        run.over, run.finished = True, finished
        if self.history.calm and "agent" not in self.history.faults:
            lasted = life.protected or life.killed or self.now() - run.began < SLACK_S
            text = f"{run.watcher} runs {self.shown(run.receipt)}, and ECS may end it"
            self.check(lasted or life.protected is None, "protected", text)
        self._note(run, "end", 0 if finished else 1)
        self.say(run.watcher, f"ends {self.shown(run.receipt)}: {how}")
        if finished:
            before = self.known[run.message_id].completion
            again = before is not None and not self._in_vain(before)
            if self.history.gentle:
                self.check(not again, "nothing twice", f"{self.shown(run.receipt)} is done again")
            self.finished.add(run.message_id)
            self.known[run.message_id].completion = run

    def _in_vain(self, run: Run) -> bool:
        """Whether a run was behind one of its FIFO batch that failed, and went back for that."""
        return self.history.fifo and run.behind_a_failure

    # What a watcher says.

    def reported(self, watcher: str, report: Report) -> None:
        life = self.lives[watcher]
        delivery = life.deliveries[report.message.receipt]
        delivery.reports += 1
        life.worked_at = self.now()
        shown = self.shown(report.message.receipt)
        self.say(watcher, f"reports {shown} {report.outcome.name}: {report.how}")
        self.check(delivery.reports == 1 or life.killed, "reported once", f"{watcher}: {shown}")
        self.answers.reported(life, delivery, report)
        if report.outcome.failed:
            self.failures[delivery.message_id] += 1

    def dead_letter(self, name: str) -> None:
        """Hears that the dead-letter queue has taken the message of this name from a watcher."""
        known = next(known for known in self.known.values() if known.name == name)
        self.buried.add(known.message_id)
        if (run := known.last_run) is not None:
            reports = self.lives[run.watcher].deliveries[run.receipt].reports
            run.buried |= not reports or run.receipt == known.receipt  # else a later one, not run
        self.say("dead letters", f"take {known.name}")
        # The report of the last failure comes when the letter is sent.
        least = self.history.options["max_attempts"] - 1
        last = known.receives >= (self.history.most_receives or 4 * (least + 1))
        failures = self.failures[known.message_id]
        text = f"{known.name} after {failures + 1} failures"
        self.check(failures >= least or last, "dead by the rule", text)

    def breaker(self, watcher: str, *, is_open: bool, succeeded: bool) -> None:
        """Hears after each report whether the breaker is open, and whether a run has succeeded."""
        self.check(not (is_open and succeeded), "breaker", f"{watcher}: open after a success")
        life = self.lives[watcher]
        before = life.breaker_opened_at
        life.breaker_opened_at = (self.now() if before is None else before) if is_open else None

    # What happens to a watcher.

    def asked_to_stop(self, watcher: str, *, forced: bool) -> None:
        life, now = self.lives[watcher], self.now()
        self.say(watcher, "gets a second SIGTERM" if forced else "gets SIGTERM")
        life.asked_at = min(life.asked_at, now)
        life.forced_at = min(life.forced_at, now if forced else math.inf)

    def killed(self, watcher: str) -> None:
        self.lives[watcher].killed = True
        self._doubt(self.lives[watcher].runs)
        self.say(watcher, "gets SIGKILL")

    def stood_still(self, watcher: str, seconds: float) -> None:
        self.lives[watcher].stood_still_s += seconds

    def left(self, watcher: str, drain_s: float) -> None:
        life = self.lives[watcher]
        self.say(watcher, "has left")
        by = min(life.asked_at + max(drain_s, 5) + 5, life.forced_at + 5)
        late_s = self.now() - by - life.stood_still_s - SLACK_S
        self.check(late_s <= 0, "gone in time", f"{watcher} is {late_s:.1f} s late")
        behind = len(life.runs) + len(self.machines[watcher].processes)
        self.check(not behind, "gone in time", f"{watcher} left {behind} runs and workers behind")
        for receipt, delivery in life.deliveries.items():
            text = f"{watcher} said nothing of {self.shown(receipt)}"
            excused = not delivery.started and not self.history.calm
            self.check(delivery.reports == 1 or excused, "reported once", text)

    def rests(self) -> None:
        """Hears that all is done."""
        for life in self.lives.values():
            life.polls = 0

    def at_rest(self, watcher: str, seconds: float) -> None:
        """Hears that all was done so long ago: a watcher has had time to notice."""
        life = self.lives[watcher]
        text = f"{watcher} asked {life.polls} times in {seconds:.0f} s"
        several = len(self.history.weights)
        self.check(life.polls <= several * (seconds + BESIDE), "given back", text)
        works_on = any(each.calls or not each.reports for each in life.deliveries.values())
        if works_on or life.runs or life.worked_at > self.now() - seconds:
            return  # it was busy with a message that is done, or somebody else's
        if not self.history.options["breaker"] and several == 1 and not self.queues.limited:
            others = set(life.open_polls) - {most := min(life.slots, self.history.receive)}
            self.check(not others, "given back", f"{watcher} asks for {others}, not {most}")
        if "agent" not in self.history.faults:
            self.check(not life.protected, "protected", f"{watcher} rests, and is protected")
        quiet_s = self.now() - life.settled_at
        self.check(quiet_s > 6, "given back", f"{watcher} settled something {quiet_s:.0f} s ago")

    def all_is_done(self, dead_names: Collection[str]) -> None:
        """Judges what the ledger says, once the queue is empty. `dead_names` are dead letters."""
        dead = {known.place for known in self.known.values() if known.name in dead_names}
        may_die = {
            known.place
            for message_id, known in self.known.items()
            if message_id in self.buried or known.receives >= self.history.most_receives > 0
        }
        broken = self.ledger.broken(range(len(self.known)), dead, may_die)
        for law, texts in broken.items():
            self.check(not texts, law, "; ".join(texts))

    def is_dead(self, watcher: str) -> bool:
        """Whether a watcher was killed."""
        return watcher in self.lives and self.lives[watcher].killed

    def shown(self, receipt: str) -> str:
        """A delivery as it is told of: the message's name, and the receive."""
        message_id, _, receive = receipt.partition(" ")
        return f"{self.known[message_id].name}/{receive}"
