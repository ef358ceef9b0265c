"""The laws: each is a promise of docs/explanation/delivery.md, and the faults that excuse it.

Those that name no fault hold under all that the simulation has.
"""

from collections.abc import Mapping

from tests.support import promises

LAWS: Mapping[str, str] = {
    **promises.LAWS,
    "finished first": "At least once: a message is deleted once its worker exited with 0 or 3, or "
    "once the dead-letter queue has it; never otherwise",
    "all done": "At least once: once all is well, each message is done, or dead, and no watcher "
    "waits for ever. Not where the queue is deleted",
    "renewed in time": "The lease: while a message is in hand, nobody else gets it. Not where the "
    "queue fails or repeats itself, where its watcher is killed or stands still",
    "started in hand": "When a command runs twice: a worker whose lease is lost is not started. "
    "Not where the queue repeats itself",
    "no dead receipt": "The lease: a message that was deleted, or whose lease the queue said is "
    "lost, is not settled any more",
    "tried again": "The lease: a call that has no answer in five seconds is given up, and tried "
    "again. Not where its watcher stands still",
    "in hand": "The lease, FIFO: no more is received than there are slots; from a FIFO queue no "
    "more at a time than a run gets",
    "slots": "a watcher has at most `--concurrency` workers, each with a number of its own",
    "as answered": "Batches, warm workers: each message is settled as its own answer says, also "
    "one that comes after SIGTERM; where its process ends without one, it fails, or is what the "
    "exit code of its batch says. What is behind a failure in a FIFO batch goes back, and no "
    "other. Where its watcher stood still, one over its deadline may have timed out all the same",
    "batch": "a process is handed at most `--batch-size` messages, of one group on a FIFO queue, "
    "not before `--batch-window` is over or all are there, and none while it has others in hand",
    "own queue": "a message is deleted and hidden at the queue it came from, and nowhere else",
    "no queue starves": "Several queues: by weight, while a message has waited at one queue for "
    "two seconds and one for each queue, no more is received from others than twice the slots, "
    "times one and the sum of the weights by that of the queue. Not where the queue fails, is "
    "FIFO, or has several watchers",
    "strict order": "Several queues: with `--queue-order strict`, a queue that had messages is not "
    "asked while one before it had some at its last receive",
    "rate": "no more runs start in any time than `--rate` allows, and one second's worth, or one. "
    "Where a run waits for its process, or the queue fails, since the watcher's start",
    "paused": "a paused queue is not asked by a watcher that began later, or 18 seconds later by "
    "one at work. Not where the queue fails or its watcher stands still",
    "recycled": "a worker that stays is handed at most `--recycle-after` batches",
    "no poll after SIGTERM": "SIGTERM, 1: no poll is started any more",
    "no start after SIGTERM": "SIGTERM, 3: workers that run have their time; no other starts, and "
    "none is handed anything",
    "gone in time": "SIGTERM: a watcher leaves within its drain (five seconds at least) and five "
    "more, also when AWS does not answer; after a second signal within five. "
    "It leaves no worker behind. Time in which it stood still is not counted",
    "reported once": "each delivery is reported once to every observer. Not where the watcher was "
    "killed, and not those that were never run, where the queue fails",
    "given back": "a watcher at rest asks for as many messages as it has slots, up to ten, and "
    "asks the queue for nothing else, and no more often than once a second",
    "protected": "Scale-in: the task is protected while it works, and is not when it rests. "
    "Not where the agent fails",
    "breaker": "The breaker: where a run has succeeded since the start, it never opens; once it is "
    "open, nothing is received for 30 seconds, and then one message at a time",
    "no crash": "a watcher ends when it is told to, when its queue is empty (--exit-when-empty), "
    "after its one message, when AWS refuses for good (at the first receive, or for "
    "`--give-up-after`), or before it receives, as its first warm worker cannot stay; "
    "and logs no traceback",
    "no livelock": "the loop's steps are bounded",
}
