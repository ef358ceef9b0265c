"""`watchbot doctor` against the embedded AWS: what it says, and its exit code."""

import json
import subprocess

from tests.support.cloud import Cloud
from tests.support.gate import Refuse, running_gate

NEVER = "arn:aws:sns:us-east-1:123456789012:never"


def failures(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line.startswith("FAIL")]


def test_healthy_set_up_passes(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("healthy")
    told = cloud.queue("healthy-told")
    cloud.send(queue, "keep me")
    topic, notices = cloud.topic("healthy", queue), cloud.topic("healthy-notices", told)
    cloud.let_send(topic, queue)

    done = cloud.watchbot(
        "doctor", "--queue-url", queue, "--topic", topic, "--notification-topic", notices
    )

    assert failures(done) == []
    assert done.returncode == 0, done.stdout
    for said in ("subscribed", "lets the topic send", "sns:Publish is not denied"):
        assert said in done.stdout
    assert cloud.depth(queue) == (1, 0)
    (message,) = cloud.take_all(queue)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert cloud.depth(told) == (0, 0)


def test_healthy_fifo_set_up_passes(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("ordered.fifo")
    notices = cloud.topic("ordered.fifo")

    done = cloud.watchbot("doctor", "--queue-url", queue, "--notification-topic", notices)

    assert failures(done) == []
    assert done.returncode == 0, done.stdout
    assert "FIFO" in done.stdout


def test_queue_without_redrive_policy_fails(cloud: Cloud) -> None:
    done = cloud.watchbot("doctor", "--queue-url", cloud.queue("lossy"))

    (failure,) = failures(done)
    assert "no dead-letter queue" in failure
    assert "RedrivePolicy" in failure
    assert done.returncode == 1


def test_few_receives_are_a_warning(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("hasty", receives=3)

    done = cloud.watchbot("doctor", "--queue-url", queue)

    assert "warn  maxReceiveCount is 3" in done.stdout
    assert done.returncode == 0


def test_short_lived_dead_letters_fail(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("gone", kept_s="3600")

    done = cloud.watchbot("doctor", "--queue-url", queue)

    (failure,) = failures(done)
    assert "kept 1 h" in failure
    assert "MessageRetentionPeriod" in failure
    assert done.returncode == 1


def test_dead_letter_queue_that_was_deleted_fails(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("orphan")
    cloud.sqs.delete_queue(QueueUrl=f"{queue}-dead")

    done = cloud.watchbot("doctor", "--queue-url", queue)

    (failure,) = failures(done)
    assert "orphan-dead does not exist" in failure
    assert done.returncode == 1


def test_topic_that_feeds_nothing_fails(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("unfed")
    topic = cloud.topic("unfed")

    done = cloud.watchbot("doctor", "--queue-url", queue, "--topic", topic)

    unsubscribed, unlet = failures(done)
    assert "not subscribed" in unsubscribed
    assert "sqs:SendMessage" in unlet
    assert done.returncode == 1


def test_topics_that_do_not_exist_fail(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("topicless")
    cloud.let_send(NEVER, queue)

    done = cloud.watchbot(
        "doctor", "--queue-url", queue, "--topic", NEVER, "--notification-topic", f"{NEVER}2"
    )

    fed, told = failures(done)
    assert "topic does not exist" in fed
    assert "notification topic does not exist" in told
    assert done.returncode == 1


def test_missing_queue_is_one_line(cloud: Cloud) -> None:
    done = cloud.watchbot("doctor", "--queue-url", f"{cloud.url}/123456789012/nowhere")

    (line,) = done.stderr.splitlines()
    assert "does not exist" in line
    assert done.stdout == ""
    assert done.returncode == 1


def test_missing_queue_is_one_finding_as_json(cloud: Cloud) -> None:
    done = cloud.watchbot("doctor", "--json", "--queue-url", f"{cloud.url}/123456789012/nowhere")

    (finding,) = json.loads(done.stdout)
    assert finding["level"] == "error"
    assert "does not exist" in finding["what"]
    assert finding["fix"]
    assert (done.returncode, done.stderr) == (1, "")


def test_no_permission_is_said_of_each_call(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("closed")
    topic = cloud.topic("closed")

    with cloud.guarded():
        done = cloud.watchbot("doctor", "--queue-url", queue, "--notification-topic", topic)

    assert "warn  sqs:GetQueueAttributes is denied" in done.stdout
    denied = [line.split()[1] for line in failures(done)]
    assert denied == [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sns:Publish",
    ]
    assert done.returncode == 1


def test_dead_letters_that_may_not_be_sent_are_an_error_where_watchers_send_them(
    cloud: Cloud,
) -> None:
    queue, _ = cloud.queue_with_dead_letters("unburied")
    with running_gate(cloud.url) as gate:
        gate.rule = lambda operation, *_: (
            Refuse(403, "AccessDenied") if operation == "SendMessage" else None
        )
        words = ("doctor", "--queue-url", queue, "--endpoint-url", gate.url)

        sending = cloud.watchbot(*words, "--max-attempts", "3")
        leaving_it_to_sqs = cloud.watchbot(*words)

    (failure,) = failures(sending)
    assert "sqs:SendMessage on the dead-letter queue is denied" in failure
    assert failures(leaving_it_to_sqs) == []


def test_nothing_is_sent_to_the_dead_letter_queue(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("unsent")

    done = cloud.watchbot("doctor", "--queue-url", queue, "--max-attempts", "3")

    assert "sqs:SendMessage on the dead-letter queue is not denied" in done.stdout
    counted = cloud.attributes(dead)
    assert cloud.depth(dead) == (0, 0)
    assert counted["ApproximateNumberOfMessagesDelayed"] == "0"


def test_json_is_one_list_of_findings(cloud: Cloud) -> None:
    done = cloud.watchbot("doctor", "--queue-url", cloud.queue("machine-read"), "--json")

    findings = json.loads(done.stdout)
    assert {tuple(finding) for finding in findings} == {("level", "what", "fix")}
    assert {finding["level"] for finding in findings} <= {"ok", "warning", "error"}
    assert all(finding["fix"] for finding in findings if finding["level"] != "ok")
    assert done.returncode == 1


def test_variables_of_the_watcher_are_heeded(cloud: Cloud) -> None:
    queue, _ = cloud.queue_with_dead_letters("variables")
    variables = {"QueueUrl": queue, "WATCHBOT_DRAIN_TIMEOUT": "60"}

    done = cloud.watchbot("doctor", env=variables)

    (failure,) = failures(done)
    assert "drain timeout 60 s" in failure
    assert done.returncode == 1
