"""Runs that go well on every server of SQS: on ours, and on those of others."""

from collections import Counter
from pathlib import Path

from tests.support.cloud import Cloud


def each_message_runs_once(cloud: Cloud, folder: Path, *, messages: int, workers: int) -> None:
    """Has `workers` runs at a time work off a new queue of that many messages."""
    queue, ledger = cloud.queue("many"), folder / "ledger"
    bodies = [f"m{number}" for number in range(messages)]
    cloud.send_many(queue, bodies)

    done = cloud.listen(queue, "--concurrency", str(workers), "--", f'echo "$Message" >> {ledger}')

    assert done.returncode == 0, done.stderr
    assert Counter(ledger.read_text().split()) == Counter(bodies)
    assert cloud.depth(queue) == (0, 0)


def groups_run_in_order(cloud: Cloud, folder: Path) -> None:
    """Has eight workers for three groups of a FIFO queue: one message of a group at a time runs."""
    queue, ledger = cloud.queue("order.fifo"), folder / "ledger"
    for number in range(12):
        ids = {"MessageGroupId": f"g{number % 3}", "MessageDeduplicationId": str(number)}
        cloud.send(queue, f"{number % 3} {number}", **ids)

    done = cloud.listen(
        queue, "--concurrency", "8", f'echo "start $Message" >> {ledger}; sleep 0.05; '
        f'echo "end $Message" >> {ledger}'
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = ledger.read_text().splitlines()
    for group in range(3):
        mine = [line for line in lines if line.split()[1] == str(group)]
        assert mine == [
            f"{word} {group} {number}"
            for number in range(group, 12, 3)
            for word in ("start", "end")
        ]
