"""`watchbot pause` and `resume`, with boto3 and the `aws` command at the tags."""

import pytest

from tests.support.cloud import Cloud
from tests.support.inside import run

ME = "arn:aws:sts::123456789012:user/moto"


def tags(cloud: Cloud, queue: str) -> dict[str, str]:
    found: dict[str, str] = cloud.sqs.list_queue_tags(QueueUrl=queue).get("Tags", {})
    return found


def test_pause_says_who_and_why_and_leaves_other_tags(cloud: Cloud) -> None:
    queues = [cloud.queue("first"), cloud.queue("second.fifo")]
    cloud.sqs.tag_queue(QueueUrl=queues[0], Tags={"team": "maps"})

    done = run(
        *("pause", "--queue-url", queues[0], "--queue-url", queues[1]),
        *("--reason", "bad deploy; see <wiki>"),
    )

    assert (done.code, done.err) == (0, "")
    assert done.out.count(f"paused: bad deploy_ see _wiki_, by {ME}, since 2") == 2
    found = cloud.aws("sqs", "list-queue-tags", "--queue-url", queues[0])["Tags"]
    assert found.pop("watchbot:paused-at")
    assert found == {
        "team": "maps",
        "watchbot:paused": "bad deploy_ see _wiki_",
        "watchbot:paused-by": ME,
    }
    assert tags(cloud, queues[1])["watchbot:paused"] == "bad deploy_ see _wiki_"

    done = run("resume", "--queue-url", queues[0], "--queue-url", queues[1])

    assert (done.code, done.err) == (0, "")
    assert "first: resumed; was paused: bad deploy_ see _wiki_, by arn:" in done.out
    assert tags(cloud, queues[0]) == {"team": "maps"}
    assert tags(cloud, queues[1]) == {}
    assert run("resume", "--queue-url", queues[0]).out == "first: was not paused\n"


def test_tag_by_hand_is_a_pause(cloud: Cloud) -> None:
    queue = cloud.queue("by-hand")
    cloud.aws("sqs", "tag-queue", "--queue-url", queue, "--tags", "watchbot:paused=")

    done = run("resume", "--queue-url", queue)

    assert done.out == "by-hand: resumed; was paused: no reason given\n"
    assert tags(cloud, queue) == {}


def test_queues_of_a_watcher_are_taken_from_its_variable(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = [cloud.queue("heavy"), cloud.queue("light")]
    monkeypatch.setenv("QueueUrl", f"{queues[0]}=3 {queues[1]}")

    done = run("pause")

    assert (done.code, done.err) == (0, "")
    assert all("watchbot:paused" in tags(cloud, queue) for queue in queues)


def test_server_that_is_not_of_aws_says_not_who_paused(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The queue's URL alone names the server; the credentials must not go to AWS's own STS.
    queue = cloud.queue("elsewhere")
    monkeypatch.delenv("AWS_ENDPOINT_URL")

    done = run("pause", "--queue-url", queue)

    assert (done.code, done.err) == (0, "")
    assert "by" not in done.out
    assert tags(cloud, queue)["watchbot:paused-by"] == ""


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_queue_that_is_not_there_does_not_spare_the_others(cloud: Cloud, verb: str) -> None:
    queue = cloud.queue(f"there-{verb}")
    missing = queue.replace("there", "gone")

    done = run(verb, "--queue-url", missing, "--queue-url", queue)

    assert done.code == 1
    assert done.err.startswith(f"watchbot: gone-{verb}: SQS ")
    assert done.err.count("\n") == 1
    assert done.out.startswith(f"there-{verb}: ")
    assert ("watchbot:paused" in tags(cloud, queue)) == (verb == "pause")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_denied_call_is_one_line(cloud: Cloud, verb: str) -> None:
    queue = cloud.queue("guarded")

    with cloud.guarded():
        done = run(verb, "--queue-url", queue)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("watchbot: guarded: SQS ")
    assert done.err.endswith("check the credentials, and the IAM policy for this action\n")


@pytest.mark.parametrize("verb", ["pause", "resume"])
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "is missing; name a queue"),
        (["--queue-url", "work"], "must be the URL of a queue, like https://sqs.REGION."),
    ],
)
def test_bad_input_is_refused(verb: str, words: list[str], problem: str) -> None:
    done = run(verb, *words)

    assert (done.code, done.out) == (2, "")
    assert problem in done.err
    assert done.err.count("\n") == 1
