"""Every check of the doctor: a set-up that it finds fault with, and one that it does not."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from watchbot.doctor import machine, queues
from watchbot.doctor.facts import Check, Facts, Finding, Level, MachineFacts, Probe
from watchbot.doctor.policy import lets_send
from watchbot.doctor.service import examine
from watchbot.errors import AwsError, Denied, NotFound, Rejected
from watchbot.settings.base import load
from watchbot.settings.doctor import DoctorSettings

ACCOUNT = "123456789012"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
NOTICES = f"arn:aws:sns:us-east-1:{ACCOUNT}:notices"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def redrive(target: str = "dead", receives: int = 10) -> str:
    target_arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{target}"
    return json.dumps({"deadLetterTargetArn": target_arn, "maxReceiveCount": receives})


def policy(**changed: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE_ARN,
        "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
        **changed,
    }
    return json.dumps({"Statement": [statement]})


QUEUE = {
    "QueueArn": QUEUE_ARN,
    "MessageRetentionPeriod": "345600",
    "MaximumMessageSize": "1048576",
    "RedrivePolicy": redrive(),
    "Policy": policy(),
}
DEAD_LETTERS = {"QueueArn": "dead", "MessageRetentionPeriod": "1209600"}
DEAD_URL = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/elsewhere"
MACHINE = MachineFacts(
    stack_bytes=8_388_608, variables_bytes=2_000, own_pid=7, first_process="systemd"
)


def facts(**changed: Any) -> Facts:
    """A healthy set-up but for what is changed; lower-case names no field has are settings."""
    fields = {name: changed.pop(name) for name in list(changed) if name in Facts.__slots__}
    url = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q"
    settings = load(DoctorSettings, {"queue_url": url, "topic": TOPIC, **changed})
    healthy: dict[str, Any] = {
        "machine": MACHINE,
        "queue": QUEUE,
        "dead_letters": DEAD_LETTERS,
        "subscribers": {QUEUE_ARN: f"{TOPIC}:1"},
        "answers": dict.fromkeys(Probe),
    }
    return Facts(settings=settings, **{**healthy, **fields})


def queue(**changed: str) -> dict[str, str]:
    return {**QUEUE, **changed}


def fifo_facts(**changed: Any) -> Facts:
    url = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q.fifo"
    given = {"topic": f"{TOPIC}.fifo", "queue": queue(RedrivePolicy=redrive("dead.fifo"))}
    return facts(queue_url=url, **{**given, **changed})


def refused(probe: Probe, kind: type[AwsError] = Denied) -> Mapping[Probe, AwsError | None]:
    refusal = kind(service="SQS", operation="call", code="Refused", text="no")
    return {**dict.fromkeys(Probe), probe: refusal}


def permission(probe: Probe) -> Check:
    return lambda known: machine.permission(known, probe=probe, level=Level.ERROR, loss="a loss")


def on(**changed: Any) -> Facts:
    return facts(machine=replace(MACHINE, **changed))


def test_healthy_set_up_has_no_fault() -> None:
    findings = examine(facts(notification_topic=NOTICES))

    assert {finding.level for finding in findings} == {Level.OK}
    assert [finding.fix for finding in findings if finding.fix] == []


BAD = {
    "a FIFO batch that dies with its first": (
        queues.batches, fifo_facts(batch_size=10), Level.WARNING, "maxReceiveCount to 50",
    ),
    "too few receives for the last of a FIFO batch": (
        queues.batches, fifo_facts(batch_size=10, max_attempts=3), Level.WARNING, "set it to 30",
    ),
    "nowhere to give up to": (
        queues.giving_up, facts(max_attempts=3, queue=queue(RedrivePolicy="")), Level.ERROR,
        "--dead-letter-queue-url",
    ),
    "fewer receives than attempts": (
        queues.giving_up, facts(max_attempts=10), Level.WARNING, "set maxReceiveCount to 20",
    ),
    "no redrive policy": (
        queues.redrive_policy, facts(queue=queue(RedrivePolicy="")), Level.ERROR, "RedrivePolicy",
    ),
    "few receives": (
        queues.redrive_policy, facts(queue=queue(RedrivePolicy=redrive(receives=4))),
        Level.WARNING, "5 or more",
    ),
    "dead-letter queue is gone": (
        queues.dead_letter_queue, facts(answers=refused(Probe.READ_DEAD_LETTERS, NotFound)),
        Level.ERROR, "create it",
    ),
    "dead-letter queue of another type": (
        queues.dead_letter_queue, fifo_facts(queue=QUEUE), Level.ERROR, "same type",
    ),
    "dead-letter queue admits nobody": (
        queues.dead_letter_queue,
        facts(dead_letters={"RedriveAllowPolicy": '{"redrivePermission": "denyAll"}'}),
        Level.ERROR, "RedriveAllowPolicy",
    ),
    "dead-letter queue admits others": (
        queues.dead_letter_queue,
        facts(
            dead_letters={
                "RedriveAllowPolicy": '{"redrivePermission": "byQueue", "sourceQueueArns": ["x"]}'
            }
        ),
        Level.ERROR, "RedriveAllowPolicy",
    ),
    "dead letters are kept shorter": (
        queues.dead_letter_retention, facts(dead_letters={"MessageRetentionPeriod": "60"}),
        Level.ERROR, "1209600",
    ),
    "dead letters are kept as long": (
        queues.dead_letter_retention,
        facts(
            queue=queue(MessageRetentionPeriod="86400"),
            dead_letters={"MessageRetentionPeriod": "86400"},
        ),
        Level.WARNING, "MessageRetentionPeriod to 1209600",
    ),
    "tries outlast the message": (
        queues.backoffs, facts(queue=queue(RedrivePolicy=redrive(receives=24))),
        Level.ERROR, "--max-backoff",
    ),
    "jobs outlast the message": (
        queues.backoffs, facts(max_job_duration=40_000), Level.ERROR, "MessageRetentionPeriod",
    ),
    "key that SNS may not use": (
        queues.encryption, facts(queue=queue(KmsMasterKeyId="alias/aws/sqs")),
        Level.ERROR, "SqsManagedSseEnabled",
    ),
    "key whose policy is not known": (
        queues.encryption, facts(queue=queue(KmsMasterKeyId=KEY)), Level.WARNING, "kms:Decrypt",
    ),
    "queue takes less than SNS sends": (
        queues.body_size, facts(queue=queue(MaximumMessageSize="1024")), Level.WARNING, "262144",
    ),
    "topic is gone": (
        queues.topic_feeds, facts(answers=refused(Probe.READ_TOPIC, NotFound)),
        Level.ERROR, "--topic",
    ),
    "standard topic before FIFO queue": (
        queues.topic_feeds, fifo_facts(topic=TOPIC), Level.ERROR, "FIFO topic",
    ),
    "not subscribed": (queues.topic_feeds, facts(subscribers={}), Level.ERROR, "subscribe it"),
    "subscription is pending": (
        queues.topic_feeds, facts(subscribers={QUEUE_ARN: "PendingConfirmation"}),
        Level.ERROR, "confirm",
    ),
    "topic may not send": (
        queues.topic_may_send, facts(queue=queue(Policy="")), Level.ERROR, "sqs:SendMessage",
    ),
    "failures feed the queue": (
        queues.notification_topic, facts(notification_topic=TOPIC), Level.ERROR, "of its own",
    ),
    "notification topic is gone": (
        queues.notification_topic,
        facts(notification_topic=NOTICES, answers=refused(Probe.NOTIFY, NotFound)),
        Level.ERROR, "--notification-topic",
    ),
    "short lease": (machine.lease, facts(visibility_timeout=45), Level.WARNING, "46"),
    "long lease": (machine.lease, facts(visibility_timeout=3601), Level.WARNING, "180"),
    "drain outlasts the stop": (
        machine.stop, facts(drain_timeout=26), Level.ERROR, "--drain-timeout to 25",
    ),
    "last poll outlasts the stop": (
        machine.stop, facts(drain_timeout=0, stop_timeout=9), Level.ERROR, "to at least 10",
    ),
    "short drain that fits no shorter": (
        machine.stop, facts(drain_timeout=4, stop_timeout=5), Level.ERROR, "raise the stop",
    ),
    "stop that Fargate does not give": (
        machine.stop,
        facts(machine=replace(MACHINE, in_ecs=True), stop_timeout=121), Level.WARNING, "120",
    ),
    "read-only /tmp": (
        machine.scratch, on(scratch_trouble="Read-only file system"), Level.ERROR, "TMPDIR",
    ),
    "small stack": (machine.stack, on(stack_bytes=1_048_576), Level.WARNING, "ulimit"),
    "large environment": (machine.stack, on(variables_bytes=2_000_000), Level.WARNING, "ulimit"),
    "shell is PID 1": (machine.first_process, on(first_process="sh"), Level.WARNING, "exec"),
    "not allowed": (
        permission(Probe.DELETE), facts(answers=refused(Probe.DELETE)), Level.ERROR, "IAM policy",
    ),
    "not to be tried": (
        permission(Probe.DELETE), facts(answers=refused(Probe.DELETE, Rejected)),
        Level.ERROR, "will not succeed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("check", "known", "level", "fix"), BAD.values(), ids=BAD)
def test_fault_is_found_with_its_fix(check: Check, known: Facts, level: Level, fix: str) -> None:
    finding = check(known)

    assert finding is not None
    assert finding.level is level
    assert fix in finding.fix
    assert "\n" not in finding.what + finding.fix


GOOD = {
    "attempts": (queues.giving_up, facts(max_attempts=5)),
    "attempts with a queue of their own": (
        queues.giving_up,
        facts(max_attempts=5, dead_letter_queue_url=DEAD_URL, queue=queue(RedrivePolicy="")),
    ),
    "enough receives": (queues.redrive_policy, facts(queue=queue(RedrivePolicy=redrive("d", 5)))),
    "dead-letter queue is there": (queues.dead_letter_queue, facts()),
    "dead-letter queue admits this one": (
        queues.dead_letter_queue,
        facts(
            dead_letters={
                "RedriveAllowPolicy": json.dumps(
                    {"redrivePermission": "byQueue", "sourceQueueArns": [QUEUE_ARN]}
                )
            }
        ),
    ),
    "dead letters are kept longer": (queues.dead_letter_retention, facts()),
    "FIFO dead letters are kept anew": (
        queues.dead_letter_retention, fifo_facts(dead_letters={"MessageRetentionPeriod": "60"}),
    ),
    "tries fit": (queues.backoffs, facts()),
    "tries are capped": (
        queues.backoffs, facts(queue=queue(RedrivePolicy=redrive(receives=24)), max_backoff=900),
    ),
    "FIFO with dead-letter queue": (queues.order, fifo_facts()),
    "no key": (queues.encryption, facts()),
    "key without topic": (
        queues.encryption, facts(topic=None, queue=queue(KmsMasterKeyId="alias/aws/sqs")),
    ),
    "queue takes all of SNS": (queues.body_size, facts(queue=queue(MaximumMessageSize="262144"))),
    "subscribed": (queues.topic_feeds, facts()),
    "topic may send": (queues.topic_may_send, facts()),
    "common lease": (machine.lease, facts()),
    "shortest safe lease": (machine.lease, facts(visibility_timeout=46)),
    "no drain fits": (machine.stop, facts(drain_timeout=0, stop_timeout=10)),
    "drain fits": (machine.stop, facts(drain_timeout=115, stop_timeout=120)),
    "writable /tmp": (machine.scratch, facts()),
    "unlimited stack": (machine.stack, on(stack_bytes=None)),
    "common stack": (machine.stack, facts()),
    "is PID 1": (machine.first_process, on(own_pid=1, first_process="sh")),
    "init is PID 1": (machine.first_process, on(first_process="tini")),
    "allowed": (permission(Probe.DELETE), facts()),
}  # fmt: skip


@pytest.mark.parametrize(("check", "known"), GOOD.values(), ids=GOOD)
def test_what_is_right_is_ok(check: Check, known: Facts) -> None:
    finding = check(known)

    assert finding is not None
    assert finding == Finding(level=Level.OK, what=finding.what)


SILENT = {
    "queue was not read": (queues.CHECKS, facts(queue={}, topic=None)),
    "no topic": ((queues.topic_feeds, queues.topic_may_send), facts(topic=None)),
    "topic was not read": ((queues.topic_feeds,), facts(subscribers=None)),
    "no notification topic": ((queues.notification_topic,), facts()),
    "nothing was tried": ((permission(Probe.NOTIFY),), facts(answers={})),
    "no /proc": ((machine.first_process,), on(first_process=None)),
    "no FIFO": ((queues.order,), facts()),
}


@pytest.mark.parametrize(("checks", "known"), SILENT.values(), ids=SILENT)
def test_nothing_is_said_of_what_is_not_there(checks: tuple[Check, ...], known: Facts) -> None:
    assert [check(known) for check in checks] == [None] * len(checks)


@pytest.mark.parametrize(
    "given",
    [
        policy(),
        policy(Principal="*"),
        policy(Principal={"AWS": "*"}),
        policy(Action=["sqs:ReceiveMessage", "SQS:*"]),
        policy(Resource="*"),
        policy(Condition=None),
        policy(Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:sns:*:{ACCOUNT}:*"}}),
        policy(Condition={"StringEquals": {"AWS:SourceAccount": [ACCOUNT]}}),
        policy(Condition={"Bool": {"aws:SecureTransport": "true"}}),
    ],
)
def test_policy_lets_the_topic_send(given: str) -> None:
    assert lets_send(given, TOPIC, QUEUE_ARN)


DENY = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        policy(Principal={"Service": "events.amazonaws.com"}),
        policy(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        policy(Action="sqs:ReceiveMessage"),
        policy(Resource=f"{QUEUE_ARN}-other"),
        policy(Condition={"ArnEquals": {"aws:SourceArn": f"{TOPIC}-other"}}),
        policy(Condition={"StringEquals": {"aws:SourceAccount": "210987654321"}}),
        json.dumps({"Statement": [*json.loads(policy())["Statement"], DENY]}),
    ],
)
def test_policy_does_not_let_the_topic_send(given: str | None) -> None:
    assert not lets_send(given, TOPIC, QUEUE_ARN)
