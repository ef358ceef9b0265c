"""The examples, run as a reader runs them."""

import functools
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.cloud import BIN
from tests.support.lint import complaints
from tests.support.programs import read_until
from watchbot.schedule.job.job import Job
from watchbot.settings.base import load
from watchbot.settings.listen import ListenSettings

EXAMPLES = Path(__file__).parents[2] / "examples"


@functools.cache  # several tests look at one run
def output_of(*words: str) -> str:
    """What an example prints, run from the project's folder."""
    done = subprocess.run(
        words,
        cwd=EXAMPLES.parent,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": os.environ["HOME"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_shell_worker_counts_words() -> None:
    said = output_of("examples/shell/run")

    assert sorted(re.findall(r"\] (\d+) words", said)) == ["1", "4", "6"]
    assert said.count("completed") == 3


def test_body_of_3_mb_comes_by_way_of_a_bucket() -> None:
    said = output_of("examples/payloads/run")

    assert "] 3000000 bytes from a file" in said
    assert said.count("completed") == 2


def test_python_worker_sums_and_rejects() -> None:
    said = output_of("examples/python/run")

    assert "the sum is 6" in said
    assert "the sum is 42" in said
    assert len(re.findall(r"^--- notification: .*rejected \(exit code 3\)", said, re.M)) == 1


@pytest.mark.parametrize("language", ["shell", "python", "node"])
def test_worker_that_stays_sums_and_rejects(language: str) -> None:
    said = output_of(f"examples/warm/run-{language}")

    assert "the sum is 6" in said
    assert "the sum is 42" in said
    (notice,) = re.findall(r"^--- notification: watchbot: rejected \((.*)", said, re.M)
    assert notice.startswith("not a list of numbers")


def test_command_that_knows_nothing_of_watchbot_takes_a_batch() -> None:
    said = output_of("examples/warm/run-jq")

    assert re.findall(r"\[worker\] \[\S+\] (\S+)", said)
    assert "no numbers here" in said
    assert said.count("completed ending") == 3


def test_job_that_is_interrupted_three_times_does_each_unit_once() -> None:
    said = output_of("examples/spot/run")

    assert said.count("--- the machine is taken away") == 3
    assert said.count("] released ending") == 3
    assert len(re.findall(r"\] goes on after unit \d+$", said, re.M)) == 3
    assert "12 units were done, 12 different ones; 0 checkpoints left" in said


def test_fifo_worker_keeps_the_order() -> None:
    said = output_of("examples/fifo/run")

    assert re.findall(r"booking (\S+)", said) == ["+100", "-20", "-30", "+5"]


def test_map_reduce_counts_each_file_and_adds_up_once() -> None:
    said = output_of("examples/map-reduce/run")

    assert len(re.findall(r"\] texts/\w+\.txt: \d+ words", said)) == 5
    assert len(re.findall(r"\] job \S+: \d+ words in all", said)) == 1
    assert re.search(r"^counted (\d+) words; wc counts \1$", said, re.M)


def test_lambda_function_sums_and_fails_the_poisoned_message_alone() -> None:
    said = output_of("examples/lambda/run")

    assert sorted(re.findall(r"the sum is (\d+)$", said, re.M)) == ["42", "42", "6", "6"]
    assert said.count("] completed ending") == 2
    assert (
        len(re.findall(r"^--- notification: .*failed \(named in batchItemFailures", said, re.M))
        == 1
    )


def test_demo_shows_each_fate_and_each_notification() -> None:
    line = (EXAMPLES.parent / "Makefile").read_text()
    (words,) = re.findall(r"\$\(BIN\)/(watchbot local .*\\\n.*)", line)
    words = words.replace("$(if $(KEEP),--keep)", "")

    said = output_of(*words.replace("\\\n", " ").split())

    fates = re.findall(r"\[watcher\] \[\S+\] (?:\[failure\] )?(\w+) ending", said)
    assert sorted(fates) == ["completed"] * 4 + ["failed"] * 2 + ["rejected", "returned"]
    notices = re.findall(r"^--- notification: .*?(\w+) \(exit code", said, re.M)
    assert sorted(notices) == ["failed", "failed", "rejected"]


EXPECTED = sorted({path.parent.name for path in EXAMPLES.glob("*/expected")} - {"schedule"})
WORDS = {
    "record": ("examples/record/run", "--exit-when-empty"),
    "warm": ("examples/warm/run-python",),
}


def keeps_its_promise(example: str, said: str) -> None:
    for line in (EXAMPLES / example / "expected").read_text(encoding="utf-8").splitlines():
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        assert re.search(rf"^(?:\[.*\] )?{pattern}$", said, re.M), f"{line!r} is not in: {said}"


@pytest.mark.parametrize("example", EXPECTED)
def test_example_prints_what_it_promises(example: str) -> None:
    keeps_its_promise(example, output_of(*WORDS.get(example, (f"examples/{example}/run",))))


def test_thumbnail_of_no_picture_is_rejected_and_no_other() -> None:
    said = output_of("examples/thumbnails/run")

    assert said.count("] completed ending") == 3
    assert said.count("] [failure] rejected ending") == 1


def test_job_of_the_nightly_report_is_one_that_the_scheduler_takes() -> None:
    body = json.loads((EXAMPLES / "report/job.json").read_text(encoding="utf-8"))

    assert Job.model_validate(body).id == "nightly-report"


@pytest.mark.parametrize(
    "folder",
    sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()),
)
def test_example_is_listed(folder: str) -> None:
    assert f"[{folder}]({folder}/)" in (EXAMPLES / "README.md").read_text()


def test_record_is_filled() -> None:
    said = output_of("examples/record/run", "--exit-when-empty")

    assert "events are in the queue" in said
    assert re.search(r"serving the page url=http://127\.0\.0\.1:\d+", said)
    assert "stopped" in said


def test_schedule_sends_messages_and_starts_tasks() -> None:
    with subprocess.Popen(
        ["examples/schedule/run"],
        cwd=EXAMPLES.parent,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": os.environ["HOME"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as example:
        try:
            said = read_until(example, r"\] here is the news$")
            for job in ("report", "greeting", "news"):
                if f"run started job={job}" not in said:
                    said += read_until(example, f"run started job={job}")
        finally:
            os.killpg(example.pid, signal.SIGINT)  # as Ctrl-C does
        assert example.stdout is not None
        rest = example.stdout.read()

    assert example.returncode == 0
    keeps_its_promise("schedule", said + rest)
    assert "Traceback" not in rest
    assert "[watcher] stopped" in rest
    assert "[scheduler] stopped" in rest


def test_stack_has_the_service_and_the_bucket_before_it() -> None:
    made = json.loads(output_of("examples/stack/run"))

    bucket = made["Resources"]["Pictures"]["Properties"]["NotificationConfiguration"]
    assert bucket["TopicConfigurations"][0]["Topic"] == {"Ref": "WatchbotTopic"}
    assert set(made["Parameters"]) == {"Image", "WatchbotSubnets"}
    assert complaints(json.dumps(made)) == []


def test_pod_of_warm_workers_gets_longer_than_its_drain() -> None:
    text = (EXAMPLES / "kubernetes/warm.yaml").read_text()
    (deployment,) = [each for each in yaml.safe_load_all(text) if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    told = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    given = {name.removeprefix("WATCHBOT_").lower(): value for name, value in told.items()}
    queue_url = given.pop("queueurl")

    assert load(ListenSettings, {**given, "queue_url": queue_url}).warm == "lines"
    assert pod["terminationGracePeriodSeconds"] == int(given["drain_timeout"]) + 10


def test_pods_of_several_queues_are_scaled_by_each_in_its_weight() -> None:
    text = (EXAMPLES / "kubernetes/queues.yaml").read_text()
    parts = {each["kind"]: each["spec"] for each in yaml.safe_load_all(text) if "spec" in each}
    (container,) = parts["Deployment"]["template"]["spec"]["containers"]
    told = {each["name"]: each["value"] for each in container["env"]}
    settings = load(ListenSettings, {"queue_url": told["WATCHBOT_QUEUE_URL"]})
    weights = {share.url: share.weight for share in settings.queues}
    triggers = [each["metadata"] for each in parts["ScaledObject"]["triggers"]]

    assert {each["queueURL"] for each in triggers} == set(weights)
    shares = [int(each["queueLength"]) * weights[each["queueURL"]] for each in triggers]
    assert set(shares) == {int(told["WATCHBOT_CONCURRENCY"]) * max(weights.values())}


def test_pod_gets_longer_than_its_drain() -> None:
    text = (EXAMPLES / "kubernetes/watchbot.yaml").read_text()
    parts = {each["kind"]: each["spec"] for each in yaml.safe_load_all(text) if "spec" in each}
    pod = parts["Deployment"]["template"]["spec"]
    told = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    (trigger,) = parts["ScaledObject"]["triggers"]

    assert pod["terminationGracePeriodSeconds"] == int(told["WATCHBOT_DRAIN_TIMEOUT"]) + 10
    assert trigger["metadata"]["queueLength"] == told["WATCHBOT_CONCURRENCY"]
    assert trigger["metadata"]["queueURL"] == told["QueueUrl"]
    assert "replicas" not in parts["Deployment"]
