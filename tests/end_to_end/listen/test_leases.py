"""A watcher keeps its messages while calls of SQS fail, are late, or have their answers lost."""

import itertools
import threading
import time
from pathlib import Path

from tests.support.cloud import Cloud
from tests.support.gate import (
    DELETE,
    HIDE,
    Gate,
    Hold,
    Lose,
    Refuse,
    entries,
    through,
)
from tests.support.programs import listen, read_until, stop, wait_for

ANSWERS_S = 0.4  # how late a slow SQS answers


def test_heartbeats_go_in_batches_of_ten(cloud: Cloud, gate: Gate, tmp_path: Path) -> None:
    queue = cloud.queue("batches")
    cloud.send_many(queue, [str(number) for number in range(20)])
    options = ("--concurrency", "20", "--visibility-timeout", "3")

    done = cloud.listen(queue, *options, f"sleep 4; echo ran >> {tmp_path}/runs", env=through(gate))

    assert done.returncode == 0, done.stderr
    assert len(wait_for(tmp_path / "runs", 20)) == 20
    sizes = [len(entries(request)) for request in gate.seen(HIDE)]
    assert max(sizes) == 10
    assert sum(sizes) >= 5 * len(sizes)
    assert sum(sizes) >= 3 * 20  # every second, four times, in the least


def test_heartbeat_that_fails_is_tried_again_within_the_lease(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("heartbeat-fails")
    cloud.send(queue, "x")
    turns = iter(range(1000))
    gate.rule = lambda operation, *_: (
        Refuse() if operation == HIDE and next(turns) % 3 < 2 else None
    )

    done = cloud.listen(
        queue, "--visibility-timeout", "2", f"echo ran >> {tmp_path}/runs; sleep 5",
        env=through(gate),
    )  # fmt: skip

    assert "heartbeat failed, trying again" in done.stdout
    assert "lease lost" not in done.stdout
    assert "completed" in done.stdout
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_delete_that_fails_is_tried_again_while_the_message_stays_ours(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("delete-fails")
    cloud.send(queue, "x")

    def until_it_was_renewed_twice(operation: str, *_: object) -> Refuse | None:
        tried = gate.seen(DELETE)
        renewed = [each for each in gate.seen(HIDE) if tried and each.began > tried[0].ended]
        return Refuse() if operation == DELETE and len(renewed) < 2 else None

    gate.rule = until_it_was_renewed_twice
    done = cloud.listen(
        queue, "--visibility-timeout", "2", f"echo ran >> {tmp_path}/runs", env=through(gate)
    )

    assert "settling failed, trying again" in done.stdout
    assert "lease lost" not in done.stdout
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_delete_whose_answer_is_lost_is_a_delete(cloud: Cloud, gate: Gate, tmp_path: Path) -> None:
    queue = cloud.queue("answer-lost")
    cloud.send(queue, "x")
    gate.rule = lambda operation, *_: (
        Lose() if operation == DELETE and not gate.seen(DELETE) else None
    )

    done = cloud.listen(queue, f"echo ran >> {tmp_path}/runs", env=through(gate))

    assert done.returncode == 0, done.stderr
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_renewal_and_settling_of_a_message_never_overlap(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("overlap")
    cloud.send_many(queue, [f"{number / 5}" for number in range(20)])

    def slowly(operation: str, *_: object) -> Hold | None:
        answered = threading.Event()
        if operation in {HIDE, DELETE}:
            threading.Timer(ANSWERS_S, answered.set).start()
            return Hold(answered)
        return None

    gate.rule = slowly
    options = ("--concurrency", "20", "--visibility-timeout", "2")
    done = cloud.listen(queue, *options, 'sleep "$Message"', env=through(gate))

    assert done.stdout.count("completed") == 20
    calls: dict[str, list[tuple[float, float]]] = {}
    for request in gate.seen(HIDE, DELETE):
        for entry in entries(request):
            calls.setdefault(entry["ReceiptHandle"], []).append((request.began, request.ended))
    assert sum(len(times) for times in calls.values()) > 3 * 20
    for times in calls.values():
        times.sort()
        assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(times))


def test_settling_that_hangs_is_tried_again_within_the_lease(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("settling-hangs")
    cloud.send(queue, "x")
    never, deletes = threading.Event(), iter(range(1000))
    gate.rule = lambda operation, *_: (
        Hold(never) if operation == DELETE and next(deletes) == 0 else None
    )

    done = cloud.listen(
        queue, "--visibility-timeout", "6", f"echo ran >> {tmp_path}/runs", env=through(gate)
    )
    never.set()

    assert "code=Timeout" in done.stdout
    assert "lease lost" not in done.stdout
    assert wait_for(tmp_path / "runs") == ["ran"]
    assert cloud.depth(queue) == (0, 0)


def test_message_that_comes_late_in_a_poll_has_its_whole_lease(
    cloud: Cloud, gate: Gate, tmp_path: Path
) -> None:
    queue = cloud.queue("late")
    words = ("--queue-url", queue, "--poll-wait", "5", "--visibility-timeout", "1")

    with cloud.started("listen", *words, f"echo ran >> {tmp_path}/runs; sleep 3") as watcher:
        read_until(watcher, "started")
        time.sleep(2.5)  # into the poll, longer than the lease
        cloud.send(queue, "x")
        said = read_until(watcher, "completed") + stop(watcher)

    assert "receives=1" in said
    assert "lease lost" not in said
    assert wait_for(tmp_path / "runs") == ["ran"]


def test_delete_whose_answers_are_lost_loses_no_lease(cloud: Cloud, gate: Gate) -> None:
    queue = cloud.queue("late-answers")
    cloud.send(queue, "x")
    gate.rule = lambda operation, *_: (
        Lose() if operation == DELETE and not gate.seen(HIDE) else None
    )

    with cloud.started(
        *listen(queue, "--visibility-timeout", "1", "--exit-when-empty", "true"), env=through(gate)
    ) as watcher:
        said = watcher.communicate(timeout=60)[0]

    assert watcher.returncode == 0
    assert "completed" in said
    assert "lease lost" not in said
