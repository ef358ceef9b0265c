"""The mutants of receiving: each is one fault in intake, several queues or the rate."""

from tests.mutants.mutant import Mutant

INTAKE, SOURCE, TURNS, RATE = "sqs/intake.py", "sqs/source.py", "sqs/turns.py", "sqs/rate.py"

OF_RECEIVING = (
    # Intake.
    Mutant(
        "receives ten at once from a FIFO queue",
        SOURCE,
        "self.most = min(fifo_batch, MAX_BATCH) if queue.fifo else MAX_BATCH",
        "self.most = MAX_BATCH",
    ),
    Mutant(
        "receives one more than there are slots",
        INTAKE,
        "count = self._room.take(poll.count)",
        "count = self._room.take(poll.count + 1)",
    ),
    Mutant(
        "does not reserve slots for a poll",
        INTAKE,
        "                self._free -= count\n",
        "",
    ),
    Mutant(
        "keeps the slots of messages that did not come",
        INTAKE,
        "            self._release(poll.count - came)\n",
        "",
    ),
    Mutant(
        "begins a poll though the valve is closed",
        INTAKE,
        "while not (self._valve.closed or self._is_done()):",
        "while not self._is_done():",
    ),
    Mutant(
        "asks an empty queue again at once",
        SOURCE,
        "            self.rest(IDLE_S)",
        "            pass",
    ),
    Mutant(
        "gives up at the first refusal of many",
        INTAKE,
        "if not source.is_known or all(map(self._is_given_up, self._sources)):",
        "if True:",
    ),
    Mutant(
        "takes what passes for what is refused for good",
        SOURCE,
        "        if error.transient:\n",
        "        if False:\n",
    ),
    # Several queues, and the rate.
    Mutant(
        "shares the slots without weights",
        TURNS,
        "source.start = starts + poll.count / source.weight",
        "source.start = starts + poll.count",
    ),
    Mutant(
        "takes the strict order for one by weight",
        TURNS,
        "if not (self._strict and source.has_more):",
        "if True:",
    ),
    Mutant(
        "waits at an empty queue while another is full",
        TURNS,
        "return short_s if is_due else 0",
        "return self._long_s",
    ),
    Mutant(
        "receives from a paused queue",
        TURNS,
        "return [source for source in self._sources if source.pause is None]",
        "return self._sources",
    ),
    Mutant(
        "gives up all queues with the first that is gone",
        INTAKE,
        "all(map(self._is_given_up, self._sources)):",
        "self._is_given_up(source):",
    ),
    Mutant(
        "takes no token for a run",
        RATE,
        "self._tokens = self._counted() - 1",
        "self._tokens = self._counted()",
    ),
    Mutant(
        "saves the runs of an idle hour",
        RATE,
        "min(self._most, self._tokens + came)",
        "self._tokens + came",
    ),
    Mutant(
        "receives more messages than the rate lets run",
        RATE,
        "* self._batch - self._waiting",
        "* self._batch * 10 - self._waiting",
    ),
    Mutant(
        "settles every message at the first queue",
        "listen/settling.py",
        "-> bool:\n        source = self._sources[lease.message.queue]\n",
        "-> bool:\n        source = next(iter(self._sources.values()))\n",
    ),
    Mutant(
        "looks at no queue again after the first look",
        "listen/looks.py",
        "            await self._look()\n\n    async def _look",
        "\n    async def _look",
    ),
    Mutant(
        "takes every queue for one that has no messages",
        SOURCE,
        "        self.has_more = bool(messages)\n",
        "        self.has_more = False\n",
    ),
    Mutant(
        "asks the first queue that has messages, whatever the weights",
        TURNS,
        "        return True, max(source.start, self._virtual)\n",
        "        return True, 0.0\n",
    ),
)
