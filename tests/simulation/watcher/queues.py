"""Judges how a watcher shares itself among queues, and keeps to its rate and to their pauses."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.simulation.watcher.known import Batch, Run
from watchbot.listen.looks import JITTER, LOOK_S
from watchbot.settings.listen import WatcherSettings

if TYPE_CHECKING:
    from tests.simulation.watcher.laws import Laws

ANSWER_S = 0.2  # calls about a pause are answered in that time where the queue is calm
CONFIRM_S = 0.2  # a run may ask the queue about its lease between its token and its start


class Queues:
    """Watches receives from several queues, and the starts of runs."""

    def __init__(self, laws: "Laws") -> None:
        self._laws, options = laws, laws.history.options
        rate = options.get("rate")
        self._per_s = WatcherSettings.model_construct(rate=rate).runs_per_s
        self._strict = options.get("queue_order") == "strict"
        self._weights: dict[str, int] = {}  # by queue, in order
        self._paused_at: dict[str, float] = {}  # by queue
        self._was_paused = set[str]()
        # By watcher and queue, when its last receive brought messages; infinity: it brought none.
        self._had_at: dict[tuple[str, str], float] = defaultdict(lambda: math.inf)
        self._reached = set[tuple[str, str]]()
        self._refused: dict[str, dict[str, float]] = defaultdict(dict)  # by watcher, since when
        self._beside: dict[tuple[str, str], int] = defaultdict(int)
        self._began: dict[str, float] = {}  # by watcher
        self._batches: dict[str, dict[Batch, float]] = defaultdict(dict)

    @property
    def limited(self) -> bool:
        """Whether a rate may keep a watcher from asking for all it has room for."""
        return self._per_s < math.inf

    def open(self, queue: str, weight: int) -> None:
        """Hears of a queue; the first comes first."""
        self._weights[queue] = weight

    def paused(self, queue: str) -> None:
        """Hears that a queue has the tag of a pause."""
        self._paused_at.setdefault(queue, self._laws.now())
        self._was_paused.add(queue)
        self._laws.say(queue, "is paused")

    def resumed(self, queue: str) -> None:
        """Hears that a queue has that tag no more."""
        if self._paused_at.pop(queue, None) is not None:
            self._laws.say(queue, "is not paused any more")

    def lives_on(self, watcher: str) -> None:
        """Hears that a watcher has begun."""
        self._began[watcher] = self._laws.now()

    def polls(self, watcher: str, queue: str) -> None:
        """Hears that a watcher asks a queue."""
        laws = self._laws
        if queue in self._paused_at and laws.history.calm:
            since = max(self._paused_at[queue], self._began[watcher])
            text = f"{watcher} asks {queue}, which has been paused since {since:.1f}"
            most_s = LOOK_S * (1 + JITTER) + ANSWER_S
            knew = self._paused_at[queue] <= self._began[watcher]  # it looks before it receives
            laws.check(not knew and laws.now() <= since + most_s, "paused", text)
        if not self._strict or self._had_at[watcher, queue] == math.inf:
            return
        for other in self._weights:
            if other == queue:
                return
            had = self._had_at[watcher, other] < laws.now()  # not at this very moment
            ahead = had and other not in self._was_paused
            laws.check(not ahead, "strict order", f"{watcher} asks {queue} before {other}")

    def failed(self, watcher: str, queue: str) -> None:
        """Hears of a receive without an answer."""
        self._had_at[watcher, queue] = math.inf

    def refused(self, watcher: str, queue: str) -> None:
        """Hears that AWS refuses a receive for good, as far as it says."""
        self._refused[watcher].setdefault(queue, self._laws.now())

    def may_give_up(self, watcher: str) -> bool:
        """Whether AWS has refused a first receive, or all of them for long enough."""
        options, refused = self._laws.history.options, self._refused[watcher]
        latest = self._laws.now() - options["give_up_after"]
        if any((watcher, queue) not in self._reached for queue in refused):
            return True
        long = [since <= latest for since in refused.values()]
        if options["exit_when_empty"]:
            return any(long)
        return len(long) == len(self._weights) and all(long)

    def received(self, watcher: str, queue: str, count: int) -> None:
        """Hears what a receive has brought."""
        self._reached.add((watcher, queue))
        self._refused[watcher].pop(queue, None)
        self._had_at[watcher, queue] = self._laws.now() if count else math.inf
        self._beside[watcher, queue] = 0
        if self._strict or not self._is_fair:
            return
        for other, weight in self._weights.items():
            if other == queue or not self._waits_at(other):
                self._beside[watcher, other] = 0
                continue
            self._beside[watcher, other] += count
            most = (1 + sum(self._weights.values()) / weight) * 2 * self._laws.lives[watcher].slots
            text = f"{watcher} receives {self._beside[watcher, other]} while {other} waits"
            self._laws.check(self._beside[watcher, other] <= most, "no queue starves", text)

    def settles(self, watcher: str, queue: str, receipts: Sequence[str]) -> None:
        """Hears of messages that a watcher deletes from a queue, or hides there."""
        for receipt in receipts:
            message_id, _, _ = receipt.partition(" ")
            own = self._laws.known[message_id].queue
            text = f"{watcher} settles {self._laws.shown(receipt)} of {own} at {queue}"
            self._laws.check(own == queue, "own queue", text)

    def starts(self, run: Run) -> None:
        """Hears that a run of a message begins."""
        batches, now = self._batches[run.watcher], self._laws.now()
        options = self._laws.history.options
        parts = options.get("warm") == "lambda" and options.get("max_event", 0) < 6_000_000
        if not self.limited or run.batch in batches or parts:
            return
        batches[run.batch] = now
        burst = max(1.0, self._per_s)
        moments = list(batches.values())
        # A run may wait for its process; then only those since the start of the watcher count.
        single = options.get("warm", "off") == "off" and self._laws.history.batch_size == 1
        at_once = single and self._laws.history.calm
        at_once = at_once and self._laws.history.has_only(*_HARMLESS) and not self._laws.injected
        began = moments if at_once else moments[:1]
        first_at = self._began[run.watcher]
        for place, began_at in enumerate(began):
            since = began_at if at_once else first_at
            most = burst + self._per_s * (now - since + CONFIRM_S) + 1e-6
            count = len(moments) - place
            text = f"{run.watcher} starts {count} runs in {now - since:.3f} s"
            self._laws.check(count <= most, "rate", text)

    @property
    def _is_fair(self) -> bool:
        history = self._laws.history
        return history.calm and not history.fifo and history.watchers == 1

    def _waits_at(self, queue: str) -> bool:
        """Whether a queue has had a message to hand out for longer than a look takes to come."""
        if queue in self._was_paused:
            return False
        since = self._laws.now() - len(self._weights) - 2
        return any(
            not known.gone and max(known.sent_at, known.hidden_until) < since
            for known in self._laws.known.values()
            if known.queue == queue
        )


_HARMLESS = ("terminate", "terminate_twice", "set_clock", "pause")
