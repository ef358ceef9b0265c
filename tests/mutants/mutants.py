"""The mutants: each is one fault, of the watcher, the scheduler or the recorder.

Those here are of lanes, leases, batching, settling, drain and FIFO.
"""

from tests.mutants.mutant import Mutant
from tests.mutants.planning import OF_PLANNING
from tests.mutants.receiving import OF_RECEIVING
from tests.mutants.recording import OF_RECORDING
from tests.mutants.scheduling import OF_SCHEDULING
from tests.mutants.warm import OF_WARM_WORKERS

LEASES, LEASE = "sqs/leases.py", "sqs/lease.py"
BATCHING, CONSUMER, VALVE = "sqs/batching.py", "sqs/consumer.py", "sqs/valve.py"
WATCHER, LANES, SETTLING = "listen/watcher.py", "listen/lanes.py", "listen/settling.py"
RUNNING, ENDS, BREAKER = "listen/running.py", "listen/ends.py", "listen/breaker.py"
CLOSING = "listen/closing.py"
DEAD, PROTECTION, SENTBACK = "listen/dead_letters.py", "listen/protection.py", "listen/sentback.py"

MUTANTS = (
    *OF_RECEIVING,
    *OF_WARM_WORKERS,
    *OF_PLANNING,
    *OF_SCHEDULING,
    *OF_RECORDING,
    # Leases.
    Mutant(
        "renews at the very end of a lease",
        LEASE,
        "self.renew_at: float = asked_at + visibility_s / 3",
        "self.renew_at: float = asked_at + visibility_s",
    ),
    Mutant(
        "counts a lease from the answer, not from the request",
        LEASES,
        "lease.extended(asked_at, granted_s)",
        "lease.extended(self._now(), granted_s)",
    ),
    Mutant(
        "renews for a second only",
        LEASES,
        "seconds = [min(self._visibility_s, int(lease.left_s)) for lease in leases]",
        "seconds = [1 for lease in leases]",
    ),
    Mutant(
        "notes no renewal",
        LEASES,
        "                lease.extended(asked_at, granted_s)\n",
        "                pass\n",
    ),
    Mutant(
        "forgets to renew more than ten",
        LEASES,
        "            for batch in batched(due, MAX_BATCH):\n"
        "                renewals.start_soon(self._renew, batch)\n",
        "            if due:\n                renewals.start_soon(self._renew, due[:1])\n",
    ),
    Mutant(
        "renews what was settled while others were waited for",
        LEASES,
        "leases = [lease for lease in due if lease in self._held]",
        "leases = list(due)",
    ),
    Mutant(
        "takes a delete whose answer was lost for a lost lease",
        LEASES,
        "if lease.unanswered and self._now() < lease.expires_at:",
        "if False:",
    ),
    Mutant(
        "believes a renewal, not the delete",
        LEASES,
        "        if lease.ending:\n            lease.renew_at = math.inf",
        "        if False:\n            lease.renew_at = math.inf",
    ),
    Mutant(
        "settles once and never again",
        LEASES,
        "            failures += 1\n",
        "            return False\n",
    ),
    Mutant(
        "settles what is lost",
        LEASES,
        "        if not self.holds(lease):\n            return False\n        lease.ending",
        "        lease.ending",
    ),
    Mutant(
        "keeps the lease of what is settled",
        LEASES,
        "            self._settling -= 1\n            self._held.pop(lease, None)\n",
        "            self._settling -= 1\n",
    ),
    Mutant(
        "gives a message back for longer than SQS takes",
        LEASES,
        "self._hides.submit((lease.message, min(seconds, int(lease.left_s))))",
        "self._hides.submit((lease.message, seconds + 43_200))",
    ),
    Mutant(
        "tries to settle for ever, whatever the end",
        LEASES,
        "min(self._call_s, max(0.0, self._end_at - self._now()))",
        "3600",
    ),
    Mutant(
        "does not ask whether a doubtful lease is ours",
        LEASES,
        "while lease.doubtful and self.holds(lease):",
        "while False:",
    ),
    Mutant(
        "takes every lease for as good as new",
        LEASE,
        "self.doubtful = now() >= self.renew_at",
        "self.doubtful = True",
    ),
    # Batching.
    Mutant(
        "sends a batch of one",
        BATCHING,
        "batch, self._waiting = self._waiting, []",
        "batch, self._waiting = self._waiting[:1], []",
    ),
    Mutant(
        "answers the wrong waiter",
        BATCHING,
        "zip(batch, answers, strict=True)",
        "zip(batch, reversed(answers), strict=True)",
    ),
    Mutant(
        "forgets what has lingered",
        BATCHING,
        "            self._send_in(LINGER_S)\n",
        "            pass\n",
    ),
    # Lanes and FIFO.
    Mutant(
        "runs a group beside itself",
        LANES,
        "        if key in self._waiting:\n            self._waiting[key].append(lease)\n"
        "        else:",
        "        if True:",
    ),
    Mutant(
        "mixes groups in one batch",
        LANES,
        "                batch += _followers(waiting, batch[0], size - 1)\n                break\n",
        "                batch += _followers(waiting, batch[0], size - 1)\n",
    ),
    Mutant(
        "lets the last of a group go first",
        LANES,
        "            batch.append(waiting.popleft())\n            if self.fifo",
        "            batch.append(waiting.pop())\n            if self.fifo",
    ),
    Mutant(
        "forgets what waits behind a run",
        LANES,
        "                self._ready.append((key, self._clock()))\n",
        "                pass\n",
    ),
    Mutant(
        "runs what waits behind a failure",
        WATCHER,
        "if report.outcome.removes or not (lane.fifo or waits):",
        "if True:",
    ),
    Mutant(
        "settles what is behind a failure in its batch",
        CLOSING,
        "            if self._gone_back:\n",
        "            if False:\n",
    ),
    # The watcher.
    Mutant(
        "keeps the slots of what it gives back",
        WATCHER,
        "        self._consumer.give_back(len(messages))\n",
        "        self._consumer.give_back(0)\n",
    ),
    Mutant(
        "frees a slot twice",
        WATCHER,
        "        self._consumer.give_back(len(messages))\n",
        "        self._consumer.give_back(len(messages) + 1)\n",
    ),
    Mutant(
        "runs two in one slot",
        WATCHER,
        "heapq.heappop(self._slots))",
        "self._slots[0])",
    ),
    Mutant(
        "starts nothing after a run",
        WATCHER,
        "in batch.leases])\n            self._start()\n",
        "in batch.leases])\n",
    ),
    Mutant(
        "lets observers hear the first verdict, and the final one",
        WATCHER,
        "            report = await self._settler.decide(lease, report)\n",
        "            self._observers.observe(report)\n"
        "            report = await self._settler.decide(lease, report)\n",
    ),
    # Settling.
    Mutant(
        "deletes what failed",
        SETTLING,
        "        if report.outcome.removes:\n            return not lease.lost",
        "        if True:\n            return not lease.lost",
    ),
    Mutant(
        "buries nothing, and deletes it",
        SETTLING,
        "            return await letters.take(report)\n",
        "            return report.outcome.failed\n",
    ),
    Mutant(
        "runs again what was done",
        RUNNING,
        "if lease.message.id in self._done:",
        "if False:",
    ),
    Mutant(
        "buries one attempt too soon",
        DEAD,
        "if failures < self._max_attempts and",
        "if failures + 1 < self._max_attempts and",
    ),
    Mutant(
        "deletes a letter that was not sent",
        DEAD,
        'log.error("dead letter not sent", extra={**facts, **reason})\n            return False',
        'log.error("dead letter not sent", extra={**facts, **reason})\n            return True',
    ),
    # Drain.
    Mutant(
        "goes on receiving in the drain",
        CONSUMER,
        "        self._valve.close()\n",
        "",
    ),
    Mutant(
        "never lets go of what runs",
        CONSUMER,
        "        self._work.let_go()\n",
        "",
    ),
    Mutant(
        "does not wait for the last poll",
        CONSUMER,
        "        await self._received.wait()\n        self._hurry",
        "        self._hurry",
    ),
    Mutant(
        "abandons no poll",
        CONSUMER,
        "polls.deadline = anyio.current_time() + LAST_POLL_S",
        "pass",
    ),
    Mutant(
        "does not hear the second signal",
        CONSUMER,
        "            await stop.forced.wait()\n        # ",
        "            await anyio.sleep_forever()\n        # ",
    ),
    Mutant(
        "waits for AWS for ever at the end",
        CONSUMER,
        "            source.leases.end_by(self._world.now() + LAST_SETTLE_S)\n",
        "            pass\n",
    ),
    Mutant(
        "takes the exit code 0 after SIGTERM for done",
        ENDS,
        "return RELEASED, LEAVING\n        return TIMED_OUT",
        "return self._settings.exit_codes.outcome(0), LEAVING\n        return TIMED_OUT",
    ),
    Mutant(
        "gives a stubborn worker all its grace in the end",
        ENDS,
        "most_s = min(grace_s, LAST_GRACE_S) if self.released.is_set() else grace_s",
        "most_s = grace_s",
    ),
    Mutant(
        "lets a grace that began before the end go on",
        ENDS,
        "grace.deadline = min(grace.deadline, anyio.current_time() + LAST_GRACE_S)",
        "pass",
    ),
    Mutant(
        "settles a FIFO batch side by side",
        CLOSING,
        "            if self._fifo:  # a delete",
        "            if False:  # a delete",
    ),
    Mutant(
        "reports nothing where the drain cuts a decision short",
        WATCHER,
        "        finally:  # also if the end of the drain cuts that short: the run has ended\n",
        "        except ZeroDivisionError:\n            pass\n        else:\n",
    ),
    Mutant(
        "lets calls after the second signal take their time",
        CONSUMER,
        "        self._hurry()\n        self._work",
        "        self._work",
    ),
    Mutant(
        "gives the last notices all the drain after a second signal",
        CONSUMER,
        "            self._hurry()  # nobody",
        "            # nobody",
    ),
    # What turns the valve, and who asks for protection.
    Mutant(
        "opens the breaker after a success",
        BREAKER,
        "elif report.outcome.failed and not self._succeeded and self._limit:",
        "elif report.outcome.failed and self._limit:",
    ),
    Mutant(
        "goes on receiving while the breaker is open",
        BREAKER,
        "        self._valve.hold(self.pause_s)\n",
        "",
    ),
    Mutant(
        "never closes the breaker",
        BREAKER,
        "            self._valve.narrow(None)\n",
        "            pass\n",
    ),
    Mutant(
        "rests without an end of its protection",
        WATCHER,
        "                self._protection.idle()\n",
        "                pass\n",
    ),
    Mutant(
        "asks for no protection",
        WATCHER,
        "            self._protection.busy()\n",
        "            pass\n",
    ),
    Mutant(
        "waits for ever for messages that somebody else has",
        SENTBACK,
        "return moment >= ends or not awaited",
        "return not self._due",
    ),
)
