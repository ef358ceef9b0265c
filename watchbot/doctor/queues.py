"""Checks the queue, its dead-letter queue and the topic that feeds it."""

import json
from collections.abc import Mapping
from typing import Any

from watchbot.doctor.facts import Check, Facts, Finding, Probe, error, ok, warning
from watchbot.doctor.policy import lets_send
from watchbot.settings.whereabouts import is_fifo

ENOUGH_RECEIVES = 5  # a message that a deployment releases has lost a receive
SNS_BODY_BYTES = 262_144  # SNS's largest message
MAX_RETENTION_S = 1_209_600  # SQS's limit: fourteen days


def redrive_policy(facts: Facts) -> Finding | None:
    if not facts.queue:
        return None
    redrive = facts.redrive
    if redrive is None:
        return error(
            "no dead-letter queue: what fails is tried until it expires, and is lost",
            "give the queue a RedrivePolicy with maxReceiveCount 10",
        )
    if redrive.max_receives < ENOUGH_RECEIVES:
        return warning(
            f"maxReceiveCount is {redrive.max_receives}: a few restarts kill a good message",
            f"set it to {ENOUGH_RECEIVES} or more in the RedrivePolicy",
        )
    return ok(f"dead after {redrive.max_receives} receives, goes to {redrive.target_name}")


def dead_letter_queue(facts: Facts) -> Finding | None:
    redrive = facts.redrive
    if redrive is None:
        return None
    name = redrive.target_name
    if facts.missing(Probe.READ_DEAD_LETTERS):
        return error(
            f"the dead-letter queue {name} does not exist",
            "create it, or name another in the RedrivePolicy",
        )
    if is_fifo(name) != facts.fifo:
        return error(
            f"{name} and its queue differ in type: one is FIFO, one is not",
            "use a dead-letter queue of the same type",
        )
    allowed = json.loads(facts.dead_letters.get("RedriveAllowPolicy") or "{}")
    if not _admits(allowed, facts.queue.get("QueueArn", "")):
        return error(
            f"{name} admits no dead messages of this queue", "name it in the RedriveAllowPolicy"
        )
    return ok(f"{name} can be read and takes its messages") if facts.dead_letters else None


def dead_letter_retention(facts: Facts) -> Finding | None:
    if not facts.dead_letters or not facts.queue:
        return None
    queue_s, dead_s = _retention_s(facts.queue), _retention_s(facts.dead_letters)
    if facts.fifo:  # only in FIFO queues SQS counts from the move
        return ok(f"dead messages are kept for {_span(dead_s)} more")
    what = (
        f"dead messages are kept {_span(dead_s)} from their sending, living ones {_span(queue_s)}"
    )
    fix = f"set the dead-letter queue's MessageRetentionPeriod to {MAX_RETENTION_S}"
    if dead_s == MAX_RETENTION_S:
        return ok(what)  # SQS's longest retention
    if dead_s < queue_s:
        return error(f"{what}: SQS deletes some messages when it moves them", fix)
    if dead_s == queue_s:
        return warning(f"{what}: a message that dies late is kept briefly", fix)
    return ok(what)


def backoffs(facts: Facts) -> Finding | None:
    redrive = facts.redrive
    if redrive is None:
        return None
    settings, kept_s = facts.settings, _retention_s(facts.queue)
    tries = range(1, redrive.max_receives + 1)
    pauses_s = sum(min(2 ** min(receive, 16), settings.max_backoff) for receive in tries)
    needed_s = pauses_s + settings.max_job_duration * redrive.max_receives
    what = f"{redrive.max_receives} pauses" + (" and jobs" if settings.max_job_duration else "")
    if needed_s >= kept_s:
        return error(
            f"{what} may take {_span(needed_s)}, a message is kept"
            f" {_span(kept_s)}: it expires before it reaches the dead-letter queue",
            "lower --max-backoff or maxReceiveCount, or raise MessageRetentionPeriod",
        )
    return ok(f"{what} take up to {_span(needed_s)}, a message is kept {_span(kept_s)}")


def giving_up(facts: Facts) -> Finding | None:
    attempts = facts.settings.max_attempts
    if not attempts or not facts.queue:
        return None
    redrive = facts.redrive
    if redrive is None and facts.settings.dead_letter_queue_url is None:
        return error(
            f"--max-attempts {attempts} has no dead-letter queue to move messages to",
            "give the queue a RedrivePolicy, or name one: --dead-letter-queue-url",
        )
    if redrive is not None and redrive.max_receives <= attempts:
        return warning(
            f"maxReceiveCount is {redrive.max_receives}, and counts what is released, too: a"
            f" message may be given up before its {attempts} attempts",
            f"set maxReceiveCount to {2 * attempts} in the RedrivePolicy",
        )
    return ok(f"given up after {attempts} failed runs")


def order(facts: Facts) -> Finding | None:
    if not facts.fifo or facts.redrive is None:
        return None
    return ok("FIFO: after a message is dead, the later messages of its group run")


def batches(facts: Facts) -> Finding | None:
    size, redrive = facts.settings.batch_size, facts.redrive
    if size == 1 or redrive is None:
        return None
    if not facts.fifo:
        return ok(f"a run has up to {size} messages, each with receives of its own")
    attempts, receives = facts.settings.max_attempts, redrive.max_receives
    what = f"a run has up to {size} messages of a group, and those behind one that fails go back"
    if not attempts:
        return warning(
            f"{what}: they die with it, as each try spends a receive of theirs",
            f"set --max-attempts 5, and maxReceiveCount to {5 * size} in the RedrivePolicy",
        )
    if receives < attempts * size:
        return warning(
            f"{what}: the last may have spent {attempts * size} receives before it runs, and"
            f" maxReceiveCount is {receives}",
            f"set it to {attempts * size} in the RedrivePolicy",
        )
    return ok(f"{what}: maxReceiveCount {receives} is enough for {attempts} attempts of each")


def encryption(facts: Facts) -> Finding | None:
    if not facts.queue:
        return None
    key = facts.queue.get("KmsMasterKeyId")
    if not key:
        return ok("no KMS key of its own: no key policy to check")
    if facts.settings.topic is None:
        return ok(
            f"encrypted by {key}: the watcher needs kms:Decrypt, which the doctor cannot test"
        )
    if key.endswith("alias/aws/sqs"):
        return error(
            "encrypted by alias/aws/sqs, which SNS may not use: nothing arrives from the topic",
            "use SqsManagedSseEnabled, or a key whose policy lets sns.amazonaws.com use it",
        )
    return warning(
        f"encrypted by {key}, whose policy the doctor cannot read",
        "let sns.amazonaws.com do kms:GenerateDataKey* and kms:Decrypt in the key's policy",
    )


def topic_may_send(facts: Facts) -> Finding | None:
    topic = facts.settings.topic
    if topic is None or not facts.queue:
        return None
    arn = facts.queue["QueueArn"]
    if lets_send(facts.queue.get("Policy"), topic, arn):
        return ok("the queue's policy lets the topic send")
    return error(
        "the queue's policy does not let the topic send: nothing arrives",
        f"allow sns.amazonaws.com sqs:SendMessage on {arn} if aws:SourceArn is {topic}",
    )


def topic_feeds(facts: Facts) -> Finding | None:
    topic = facts.settings.topic
    if topic is None:
        return None
    if facts.missing(Probe.READ_TOPIC):
        return error("the topic does not exist", "create it, or check the ARN of --topic")
    if facts.fifo and not is_fifo(topic):
        return error(
            "a standard topic cannot feed a FIFO queue", "use a FIFO topic, or a standard queue"
        )
    if facts.subscribers is None or not facts.queue:
        return None
    subscription = facts.subscribers.get(facts.queue["QueueArn"])
    if subscription is None:
        return error("the queue is not subscribed to the topic", "subscribe it, protocol sqs")
    if not subscription.startswith("arn:"):
        return error("the queue's subscription is not confirmed", "confirm it, or subscribe anew")
    return ok("the queue is subscribed to the topic")


def notification_topic(facts: Facts) -> Finding | None:
    topic, told = facts.settings.topic, facts.settings.notification_topic
    if told is None:
        return None
    if told == topic:
        return error(
            "notices of failures go to the topic that feeds the queue: each makes a new message",
            "give --notification-topic a topic of its own",
        )
    if facts.missing(Probe.NOTIFY):
        return error(
            "the notification topic does not exist",
            "create it, or check the ARN of --notification-topic",
        )
    return None


def body_size(facts: Facts) -> Finding | None:
    if not facts.queue:
        return None
    largest = int(facts.queue.get("MaximumMessageSize", SNS_BODY_BYTES))
    if facts.settings.topic is not None and largest < SNS_BODY_BYTES:
        return warning(
            f"the queue takes {largest:,} bytes, SNS sends up to {SNS_BODY_BYTES:,}: more is lost",
            f"set the queue's MaximumMessageSize to {SNS_BODY_BYTES} or more",
        )
    return ok(f"the queue takes messages of up to {largest:,} bytes")


CHECKS: tuple[Check, ...] = (
    redrive_policy,
    dead_letter_queue,
    dead_letter_retention,
    backoffs,
    giving_up,
    order,
    batches,
    encryption,
    body_size,
    topic_feeds,
    topic_may_send,
    notification_topic,
)


def _admits(allowed: Mapping[str, Any], queue_arn: str) -> bool:
    if allowed.get("redrivePermission") == "byQueue":
        return queue_arn in allowed.get("sourceQueueArns", ())
    return allowed.get("redrivePermission") != "denyAll"


def _retention_s(queue: Mapping[str, str]) -> int:
    return int(queue.get("MessageRetentionPeriod", 345_600))


def _span(seconds: float) -> str:
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds:.3g} s"
