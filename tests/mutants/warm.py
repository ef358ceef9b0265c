"""The mutants of batches and warm workers: each is one fault of what they are handed, or answer."""

from tests.mutants.mutant import Mutant

WORKER, COLD, POOL = "listen/warm/worker.py", "listen/warm/cold.py", "listen/warm/pool.py"
LINES, IN_HAND = "listen/warm/line_dialogue.py", "listen/warm/in_hand.py"
DIALOGUE, CLOSING = "listen/functions/dialogue.py", "listen/closing.py"
LANES = "listen/lanes.py"

OF_WARM_WORKERS = (
    Mutant(
        "takes the answer to one message for that to the next",
        IN_HAND,
        "        number = self._open.popleft()\n",
        "        number = self._open.pop()\n",
    ),
    Mutant(
        "completes what a worker had in hand when it died",
        WORKER,
        "        outcome = FAILED\n        if not self._shop.stays",
        "        outcome = codes.outcome(0)\n        if not self._shop.stays",
    ),
    Mutant(
        "completes what has no answer in a batch of Lambda",
        DIALOGUE,
        "answers = [_answer(failed.get(name)) for name in self._ids]",
        "answers = [_answer(None) for name in self._ids]",
    ),
    Mutant(
        "hands a message to a worker that has broken the protocol",
        LINES,
        "        self._refuse_unasked()\n        terms",
        "        terms",
    ),
    Mutant(
        "starts no other worker in place of one that is worn out",
        POOL,
        "        while not self._leaving.is_set():\n            try:\n",
        "        if not self._leaving.is_set():\n            try:\n",
    ),
    Mutant(
        "never recycles a worker",
        POOL,
        "if self._recycling.after_runs and worker.runs >= self._recycling.after_runs:",
        "if False:",
    ),
    Mutant(
        "fails a batch for which the machine has no room",
        COLD,
        "            except OSError as error:",
        "            except ZeroDivisionError as error:",
    ),
    Mutant(
        "settles what is behind a message that cannot be deleted",
        CLOSING,
        "not (is_done and report.outcome.removes)",
        "not report.outcome.removes",
    ),
    Mutant(
        "does not wait for a batch to be full",
        LANES,
        "        return left_s if left_s > CLOCK_S else 0.0\n",
        "        return 0.0\n",
    ),
)
