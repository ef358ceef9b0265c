"""Several queues in one watcher, as a user runs it."""

import json
import re
from collections import Counter

import pytest

from tests.support.cloud import Cloud

LINE = r'echo "ran $Message of $QueueUrl"'
ONCE = ("--exit-when-empty", "--exit-wait", "0", "--poll-wait", "1")


def filled(cloud: Cloud, name: str, count: int, **attributes: str) -> str:
    """The URL of a new queue with messages in it."""
    url = cloud.queue(name, **attributes)
    for number in range(count):
        fifo = {"MessageGroupId": "g", "MessageDeduplicationId": str(number)}
        cloud.send(url, f"{name}-{number}", **(fifo if name.endswith(".fifo") else {}))
    return url


def test_messages_of_all_queues_run_and_each_knows_its_queue(cloud: Cloud) -> None:
    dead = cloud.queue("many-dead")
    policy = json.dumps({"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 5})
    high, low = filled(cloud, "many-high", 3), filled(cloud, "many-low", 3, RedrivePolicy=policy)
    ordered = filled(cloud, "many-ordered.fifo", 3)
    topic, told = "many-notices", cloud.queue("many-told")
    arn = cloud.topic(topic, told)

    done = cloud.watchbot(
        "listen",
        *("--queue-url", f"{high}=3", "--queue-url", low, "--queue-url", ordered),
        *("--concurrency", "4", "--notification-topic", arn, *ONCE),
        f'{LINE}; case "$Message" in many-low-1) exit 3;; esac',
    )

    assert done.returncode == 0, done.stdout
    ran = re.findall(r"ran (\S+) of (\S+)", done.stdout)
    assert Counter(url for _, url in ran) == {high: 3, low: 3, ordered: 3}
    assert all(url.endswith(body.rpartition("-")[0]) for body, url in ran)
    ends = re.findall(r"\[watcher\] \[\S+\] .*(?:completed|rejected) .*", done.stdout)
    assert Counter(re.findall(r" queue=(\S+) ", "\n".join(ends))) == dict.fromkeys(
        ("many-high", "many-low", "many-ordered.fifo"), 3
    )
    assert " queue=" not in "\n".join(re.findall(r"\[worker\].*", done.stdout))
    [notice] = cloud.notices(told)
    assert "\nQueue: many-low\n" in notice["Message"]
    assert notice["Subject"] == "watchbot: rejected (exit code 3) in many-low"


def test_variable_names_several_and_json_lines_name_the_queue(cloud: Cloud) -> None:
    one, other = filled(cloud, "vary-one", 2), filled(cloud, "vary-other", 2)

    done = cloud.watchbot(
        "listen",
        *("--structured-logging", *ONCE),
        'echo "$WATCHBOT_QUEUE_URL|$QueueUrl"',
        env={"QueueUrl": f"{one}=2\n{other}"},
    )

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    about = [line for line in lines if "watchbot_sqs_message_id" in line]
    assert len(about) == 12
    assert Counter(line["queue"] for line in about) == {"vary-one": 6, "vary-other": 6}
    printed = {(line["queue"], line["msg"]) for line in about if line["name"] == "worker"}
    assert printed == {("vary-one", f"|{one}"), ("vary-other", f"|{other}")}


def test_one_queue_is_named_in_json_alone(cloud: Cloud) -> None:
    queue = filled(cloud, "alone", 1)

    assert "queue=" not in cloud.listen(queue, "true").stdout


def test_too_many_attempts_go_to_the_dead_letters_of_their_own_queue(cloud: Cloud) -> None:
    urls = []
    for name in ("a", "b"):
        dead = cloud.queue(f"own-dead-{name}")
        policy = json.dumps({"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 5})
        urls.append((filled(cloud, f"own-{name}", 1, RedrivePolicy=policy), dead))

    words = [word for url, _ in urls for word in ("--queue-url", url)]
    cloud.watchbot("listen", *words, "--max-attempts", "1", *ONCE, "false")

    for url, dead in urls:
        [letter] = cloud.take_all(dead)
        assert letter["Body"].startswith(url.rpartition("/")[2])


HERE = "https://sqs.us-east-1.amazonaws.com/123456789012"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--queue-url", f"{HERE}/q", "--queue-url", f"{HERE}/q=2"),
            f"names a queue twice, {HERE}/q; give it once, with the sum of the weights",
        ),
        (("--queue-url", f"{HERE}/q=0"), "has a weight that is no whole number from 1 to 1,000"),
        (("--queue-url", f"{HERE}/q=x"), f"'{HERE}/q=x'; write URL=WEIGHT, or the URL alone"),
        (("--queue-url", f"{HERE}/q=1001"), "no whole number from 1 to 1,000"),
        (("--queue-url", f"{HERE}/q nonsense"), "must be the URL of a queue"),
        (("--queue-url", " , "), "names no queue; give the URL of one"),
        (("--queue-order", "random", "--queue-url", f"{HERE}/q"), "must be 'weighted' or 'strict'"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--structured-logging",)])
def test_bad_queues_are_one_line(
    cloud: Cloud, words: tuple[str, ...], said: str, form: tuple[str, ...]
) -> None:
    done = cloud.watchbot("listen", *form, *words, "true")

    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert said in line.replace('\\"', '"')
    assert not form or json.loads(line)


def test_queue_that_does_not_exist_among_others_ends_the_start(cloud: Cloud) -> None:
    there = filled(cloud, "there", 1)
    gone = there.replace("there", "not-there")

    done = cloud.watchbot("listen", "--queue-url", there, "--queue-url", gone, *ONCE, "true")

    assert done.returncode == 2
    assert "NonExistentQueue" in done.stdout + done.stderr
    assert cloud.depth(there) == (1, 0)


def test_doctor_looks_at_each_queue(cloud: Cloud) -> None:
    dead = cloud.queue("each-dead", MessageRetentionPeriod="1209600")
    policy = json.dumps({"deadLetterTargetArn": cloud.arn(dead), "maxReceiveCount": 10})
    well, ill = cloud.queue("each-well", RedrivePolicy=policy), cloud.queue("each-ill")

    done = cloud.watchbot("doctor", "--queue-url", f"{well}=2", "--queue-url", ill)

    assert done.returncode == 1
    assert "FAIL  each-ill: no dead-letter queue" in done.stdout
    assert "ok    each-well: dead after 10 receives, goes to each-dead" in done.stdout
    assert done.stdout.count("PID 1") == 1
