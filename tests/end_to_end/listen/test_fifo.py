"""Messages of a FIFO queue run in the order of their groups."""

import time
from pathlib import Path

from tests.support.cloud import Cloud
from tests.support.everywhere import groups_run_in_order


def test_fifo_group_runs_one_at_a_time_and_in_order(cloud: Cloud, tmp_path: Path) -> None:
    groups_run_in_order(cloud, tmp_path)


def test_fifo_group_waits_behind_a_message_that_went_back(cloud: Cloud, tmp_path: Path) -> None:
    queue, ledger = cloud.queue("behind.fifo"), tmp_path / "ledger"
    for number in range(3):
        cloud.send(queue, str(number), MessageGroupId="g", MessageDeduplicationId=str(number))

    done = cloud.listen(
        queue, "--concurrency", "3",
        f'echo $Message >> {ledger}; [ $Message != 0 ] || [ $ApproximateReceiveCount = 2 ]'
    )  # fmt: skip
    time.sleep(2.1)  # the backoff of the first receive
    again = cloud.listen(
        queue, "--concurrency", "3",
        f'echo $Message >> {ledger}; [ $Message != 0 ] || [ $ApproximateReceiveCount = 2 ]'
    )  # fmt: skip

    assert (done.returncode, again.returncode) == (0, 0)
    assert ledger.read_text().split() == ["0", "0", "1", "2"]
    assert cloud.depth(queue) == (0, 0)


def test_fifo_messages_behind_a_poison_lose_no_receive(cloud: Cloud) -> None:
    queue, dead = cloud.queue_with_dead_letters("burnt.fifo", receives=2)
    for body in ("poison", "a", "b", "c"):
        cloud.send(queue, body, MessageGroupId="g", MessageDeduplicationId=body)

    done = cloud.listen(
        queue, "--concurrency", "4", "--max-backoff", "0",
        'echo "ran $Message try $ApproximateReceiveCount"; [ $Message != poison ]',
    )  # fmt: skip

    assert done.returncode == 0
    assert [message["Body"] for message in cloud.take_all(dead)] == ["poison"]
    for body in "abc":
        assert f"ran {body} try 1" in done.stdout
