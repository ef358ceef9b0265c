"""The embedded AWS over HTTP: boto3 and the `aws` command, which know nothing of it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import REGION, Cloud, running_cloud
from watchbot.errors import SettingError
from watchbot.extras import how_to_add
from watchbot.local.server import running_server

SOON_S = 10  # for what comes at once, or never
POLL = {"WaitTimeSeconds": 20, "MaxNumberOfMessages": 10}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def receive(cloud: Cloud, queue_url: str, count: int = 10, **more: Any) -> list[dict[str, Any]]:
    answer = cloud.sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=count,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
        **more,
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]


def show(cloud: Cloud, queue_url: str, message: dict[str, Any], in_s: int = 0) -> None:
    cloud.sqs.change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=in_s
    )


def delete(cloud: Cloud, queue_url: str, message: dict[str, Any]) -> None:
    cloud.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


# Speed is guarded by counting the lines that run, for a clock says more about the machine.


def lines_run_by_server(url: str, call: Callable[[Any], Any]) -> int:
    """The lines of Python that the thread runs which answers a new connection's one call."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("sqs", endpoint_url=url, region_name=REGION, **access)
    threading.settrace(trace)
    try:
        call(client)
    finally:
        threading.settrace(None)
        client.close()
    return count


def cost_of_calls(cloud: Cloud, name: str, waiting: int) -> dict[str, int]:
    """The lines that each call runs when so many messages wait, by the call's name."""
    queue_url = cloud.queue(name, ContentBasedDeduplication="true")
    group = {"MessageGroupId": "a"} if name.endswith(".fifo") else {}
    for batch in range(waiting // 10):
        entries = [{"Id": f"{n}", "MessageBody": f"{batch} {n}", **group} for n in range(10)]
        cloud.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    cloud.attributes(queue_url)  # the first call of a kind builds what later ones find
    held = receive(cloud, queue_url)
    show(cloud, queue_url, held.pop(), in_s=30)
    delete(cloud, queue_url, held.pop())
    to = {"QueueUrl": queue_url}
    first = {**to, "ReceiptHandle": held[0]["ReceiptHandle"]}
    calls: dict[str, Callable[[Any], Any]] = {
        "send": lambda sqs: sqs.send_message(**to, MessageBody="new", **group),
        "receive": lambda sqs: sqs.receive_message(**to, MaxNumberOfMessages=10),
        "hide": lambda sqs: sqs.change_message_visibility(**first, VisibilityTimeout=20),
        "delete": lambda sqs: sqs.delete_message(**first),
        "attributes": lambda sqs: sqs.get_queue_attributes(**to, AttributeNames=["All"]),
    }
    return {name: lines_run_by_server(cloud.url, call) for name, call in calls.items()}


@pytest.mark.parametrize("kind", ["", ".fifo"], ids=["standard", "fifo"])
def test_calls_cost_as_much_with_five_thousand_waiting_as_with_fifty(
    cloud: Cloud, kind: str
) -> None:
    few = cost_of_calls(cloud, f"few{kind}", waiting=50)
    many = cost_of_calls(cloud, f"many{kind}", waiting=5_000)

    assert {call: lines for call, lines in many.items() if lines > 1.2 * few[call]} == {}
    assert min(few.values()) > 100  # lines were counted at all


def test_poll_that_waits_runs_nothing_meanwhile(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    receive(cloud, queue_url)

    def lines(wait_s: int) -> int:
        return lines_run_by_server(
            cloud.url, lambda sqs: sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=wait_s)
        )

    assert lines(wait_s=1) < lines(wait_s=0) + 150


@contextmanager
def threads_that_switch_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def test_parallel_receives_hand_each_message_out_once(
    cloud: Cloud, threads: ThreadPoolExecutor
) -> None:
    queue_url = cloud.queue("q")
    sent = [str(number) for number in range(1_600)]
    cloud.send_many(queue_url, sent)

    def drain(_: int) -> list[str]:
        mine: list[str] = []
        while messages := receive(cloud, queue_url):
            mine += bodies(messages)
        return mine

    with threads_that_switch_often():
        received = [body for share in threads.map(drain, range(8)) for body in share]

    assert sorted(received, key=int) == sent
    assert cloud.depth(queue_url) == (0, 1_600)


# Long polls


def poll(cloud: Cloud, threads: ThreadPoolExecutor, queue_url: str) -> Future[list[dict[str, Any]]]:
    """A long poll that waits by now."""
    answer = threads.submit(receive, cloud, queue_url, WaitTimeSeconds=20)
    time.sleep(0.2)  # nothing tells from outside when the server has begun to wait
    assert not answer.done()
    return answer


def test_poll_wakes_when_a_message_is_sent(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    queue_url = cloud.queue("q")
    answer = poll(cloud, threads, queue_url)

    cloud.send(queue_url, "new")

    assert bodies(answer.result(SOON_S)) == ["new"]


def test_poll_wakes_when_a_message_is_given_back(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "again")
    [message] = receive(cloud, queue_url, VisibilityTimeout=600)
    answer = poll(cloud, threads, queue_url)

    show(cloud, queue_url, message)

    assert bodies(answer.result(SOON_S)) == ["again"]


def test_poll_wakes_when_a_lease_runs_out(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "again")
    receive(cloud, queue_url, VisibilityTimeout=1)

    answer = poll(cloud, threads, queue_url)

    assert bodies(answer.result(SOON_S)) == ["again"]


def test_poll_wakes_when_the_head_of_a_group_is_deleted(
    cloud: Cloud, threads: ThreadPoolExecutor
) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    cloud.send(queue_url, "first", MessageGroupId="a")
    cloud.send(queue_url, "second", MessageGroupId="a")
    [first] = receive(cloud, queue_url, count=1)
    answer = poll(cloud, threads, queue_url)

    delete(cloud, queue_url, first)

    assert bodies(answer.result(SOON_S)) == ["second"]


def by_hand(cloud: Cloud, action: str, **body: Any) -> tuple[str, str, str, dict[str, str]]:
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/sqs/aws4_request, x",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{action}",
    }
    return "POST", "/", json.dumps(body), headers


def connect(cloud: Cloud) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(cloud.url.removeprefix("http://"), timeout=SOON_S)


def test_client_that_left_takes_no_message_along(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    gone = connect(cloud)
    gone.request(*by_hand(cloud, "ReceiveMessage", QueueUrl=queue_url, WaitTimeSeconds=20))
    time.sleep(0.2)
    gone.close()

    cloud.send(queue_url, "new")

    [message] = receive(cloud, queue_url, WaitTimeSeconds=5)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


# What SQS promises


def test_fifo_queue_keeps_the_order_of_a_group_and_one_receiver_at_a_time(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    for body in ("a1", "a2", "b1", "a3"):
        cloud.send(queue_url, body, MessageGroupId=body[0])

    [first] = receive(cloud, queue_url, count=1)
    while_out = receive(cloud, queue_url)
    show(cloud, queue_url, first)
    after = receive(cloud, queue_url)

    assert bodies([first]) == ["a1"]
    assert bodies(while_out) == ["b1"]
    assert bodies(after) == ["a1", "a2", "a3"]
    numbers = [message["Attributes"]["SequenceNumber"] for message in after]
    assert numbers == sorted(set(numbers))


def test_group_stays_closed_until_all_that_was_taken_of_it_is_settled(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    for body in ("a1", "a2", "a3"):
        cloud.send(queue_url, body, MessageGroupId="a")

    first, second = receive(cloud, queue_url, count=2)
    show(cloud, queue_url, first)
    while_second_is_out = receive(cloud, queue_url)
    delete(cloud, queue_url, second)

    assert while_second_is_out == []
    assert bodies(receive(cloud, queue_url)) == ["a1", "a3"]


def test_repetition_is_known_after_the_first_was_deleted(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo")
    of_one = {"MessageGroupId": "a", "MessageDeduplicationId": "1"}

    first = cloud.send(queue_url, "x", **of_one)
    cloud.take_all(queue_url)

    assert cloud.send(queue_url, "x", **of_one) == first
    assert receive(cloud, queue_url) == []


@pytest.mark.parametrize("kind", ["", ".fifo"], ids=["standard", "fifo"])
def test_message_received_too_often_goes_to_the_dead_letter_queue(cloud: Cloud, kind: str) -> None:
    dead_url = cloud.queue(f"dead{kind}")
    redrive = {"deadLetterTargetArn": cloud.arn(dead_url), "maxReceiveCount": "2"}
    queue_url = cloud.queue(f"q{kind}", RedrivePolicy=json.dumps(redrive))
    fifo = {"MessageGroupId": "a", "MessageDeduplicationId": "1"} if kind else {}
    message_id = cloud.send(queue_url, "bad", **fifo)

    received = [receive(cloud, queue_url, VisibilityTimeout=0) for _ in range(3)]

    assert [bodies(messages) for messages in received] == [["bad"], ["bad"], []]
    [dead] = receive(cloud, dead_url)
    assert (dead["Body"], dead["MessageId"]) == ("bad", message_id)
    assert cloud.depth(queue_url) == (0, 0)


def test_receive_that_hides_nothing_gives_a_message_once(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "x")

    assert bodies(receive(cloud, queue_url, VisibilityTimeout=0)) == ["x"]


def test_depth_is_told_by_state(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send_many(queue_url, ["1", "2", "3"])
    cloud.send(queue_url, "later", DelaySeconds=900)

    receive(cloud, queue_url, count=1)

    assert cloud.depth(queue_url) == (2, 1)
    assert cloud.attributes(queue_url)["ApproximateNumberOfMessagesDelayed"] == "1"


def test_purged_queue_is_empty(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send_many(queue_url, ["1", "2"])
    receive(cloud, queue_url, count=1)

    cloud.sqs.purge_queue(QueueUrl=queue_url)

    assert cloud.depth(queue_url) == (0, 0)
    assert receive(cloud, queue_url) == []


# Receipts


def test_message_that_is_not_out_cannot_be_hidden(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "x")
    [message] = receive(cloud, queue_url)
    show(cloud, queue_url, message)

    with pytest.raises(ClientError, match="MessageNotInflight"):
        show(cloud, queue_url, message, in_s=30)


@pytest.mark.parametrize("settled", ["deleted", "received again"])
def test_receipt_is_dead_once_its_message_is(cloud: Cloud, settled: str) -> None:
    queue_url = cloud.queue("q")
    cloud.send(queue_url, "x")
    [message] = receive(cloud, queue_url, VisibilityTimeout=0)
    if settled == "deleted":
        delete(cloud, queue_url, message)
    else:
        receive(cloud, queue_url)

    with pytest.raises(ClientError, match="does not exist or is not available"):
        show(cloud, queue_url, message, in_s=30)
    delete(cloud, queue_url, message)
    assert cloud.depth(queue_url) == (0, 0 if settled == "deleted" else 1)


def test_fifo_queue_refuses_to_delete_with_a_receipt_that_ran_out(cloud: Cloud) -> None:
    queue_url = cloud.queue("q.fifo", ContentBasedDeduplication="true")
    cloud.send(queue_url, "x", MessageGroupId="a")
    [message] = receive(cloud, queue_url, VisibilityTimeout=0)

    with pytest.raises(ClientError, match="The receipt handle has expired"):
        delete(cloud, queue_url, message)


def test_batch_is_refused_entry_by_entry(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")
    cloud.send_many(queue_url, ["1", "2"])
    out, waiting = (message["ReceiptHandle"] for message in receive(cloud, queue_url))
    cloud.sqs.change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=waiting, VisibilityTimeout=0
    )
    receipts = {"good": out, "waiting": waiting, "bad": "no receipt"}

    hidden = cloud.sqs.change_message_visibility_batch(
        QueueUrl=queue_url,
        Entries=[
            {"Id": name, "ReceiptHandle": receipt, "VisibilityTimeout": 99_999 * (name == "long")}
            for name, receipt in {**receipts, "long": out}.items()
        ],
    )
    deleted = cloud.sqs.delete_message_batch(
        QueueUrl=queue_url,
        Entries=[{"Id": name, "ReceiptHandle": receipt} for name, receipt in receipts.items()],
    )

    assert [entry["Id"] for entry in hidden["Successful"]] == ["good"]
    assert {entry["Id"]: entry["Code"] for entry in hidden["Failed"]} == {
        "waiting": "AWS.SimpleQueueService.MessageNotInflight",
        "bad": "ReceiptHandleIsInvalid",
        "long": "InvalidParameterValue",
    }
    assert [entry["Id"] for entry in deleted["Successful"]] == ["good", "waiting"]
    assert [entry["Id"] for entry in deleted["Failed"]] == ["bad"]


# The rest of moto


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "envelope"])
def test_topic_delivers_to_its_queue(cloud: Cloud, raw: bool) -> None:
    queue_url = cloud.queue("q")
    topic_arn = cloud.topic("t", queue_url, raw=raw)
    attributes = {"kind": {"DataType": "String", "StringValue": "test"}}

    cloud.sns.publish(TopicArn=topic_arn, Message="1", MessageAttributes=attributes)
    cloud.sns.publish_batch(
        TopicArn=topic_arn,
        PublishBatchRequestEntries=[{"Id": "a", "Message": "2"}, {"Id": "b", "Message": "3"}],
    )

    messages = receive(cloud, queue_url)
    contents = bodies(messages)
    if raw:
        assert contents == ["1", "2", "3"]
        assert messages[0]["MessageAttributes"] == attributes
    else:
        envelopes = [json.loads(body) for body in contents]
        assert [envelope["Message"] for envelope in envelopes] == ["1", "2", "3"]
        assert envelopes[0]["MessageAttributes"] == {"kind": {"Type": "String", "Value": "test"}}
        assert {envelope["TopicArn"] for envelope in envelopes} == {topic_arn}


def test_stack_makes_queues_that_work(cloud: Cloud) -> None:
    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    stacks = boto3.client("cloudformation", endpoint_url=cloud.url, region_name=REGION, **access)
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}}}

    stacks.create_stack(StackName="s", TemplateBody=json.dumps(template))
    stacks.close()

    queue_url = cloud.sqs.get_queue_url(QueueName="q")["QueueUrl"]
    cloud.send_many(queue_url, ["1", "2"])
    assert bodies(receive(cloud, queue_url)) == ["1", "2"]


def test_aws_command_line_sends_and_receives(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")

    cloud.aws("sqs", "send-message", "--queue-url", queue_url, "--message-body", "hello")
    answer = cloud.aws("sqs", "receive-message", "--queue-url", queue_url)

    assert bodies(answer["Messages"]) == ["hello"]


def test_unknown_call_is_refused_once(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as refusal:
        cloud.client("ecs").submit_container_state_change()

    metadata = refusal.value.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (501, 0)


# The server


def test_connection_serves_many_calls(cloud: Cloud) -> None:
    cloud.queue("q")
    connection = connect(cloud)
    sockets = set()

    for chunked in (False, True):
        method, path, body, headers = by_hand(cloud, "ListQueues")
        content = iter([body[:1].encode(), body[1:].encode()]) if chunked else body
        connection.request(method, path, content, headers, encode_chunked=chunked)
        sockets.add(connection.sock)
        answer = json.loads(connection.getresponse().read())
        assert answer == {"QueueUrls": [f"{cloud.url}/123456789012/q"]}

    assert len(sockets) == 1
    connection.close()


def test_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingError) as refusal:
            with running_server(port):
                pass

    assert refusal.value.exit_code == 2
    assert str(refusal.value) == (
        f"--port (WATCHBOT_PORT): cannot listen on 127.0.0.1:{port} (Address already in use); "
        "choose another, or 0 for any"
    )


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns a thousand times more often than they do by default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_one_of_many_conditional_writes_succeeds(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    table = cloud.table("table")

    def claim(number: int) -> bool:
        try:
            cloud.dynamodb.update_item(
                TableName=table,
                Key={"id": {"S": f"item {number // 8}"}},
                UpdateExpression="SET taken = :by",
                ConditionExpression="attribute_not_exists(taken)",
                ExpressionAttributeValues={":by": {"N": str(number)}},
            )
        except ClientError:
            return False
        return True

    assert sum(threads.map(claim, range(40 * 8))) == 40


def test_port_can_be_chosen_and_had_again() -> None:
    with running_server() as url:
        port = int(url.rpartition(":")[2])
    with running_server(port) as again:
        assert again == url


def test_each_server_starts_empty() -> None:
    with running_cloud() as first:
        first.queue("q")
    with running_cloud() as second:
        assert second.sqs.list_queues().get("QueueUrls") is None


def test_server_stops_though_polls_and_connections_are_open(threads: ThreadPoolExecutor) -> None:
    before = set(threading.enumerate())
    with running_cloud() as cloud:
        queue_url = cloud.queue("q")
        idle = connect(cloud)
        idle.request(*by_hand(cloud, "ListQueues"))
        idle.getresponse().read()
        answers = [poll(cloud, threads, queue_url) for _ in range(3)]

    assert [answer.result(SOON_S) for answer in answers] == [[], [], []]
    left = set(threading.enumerate()) - before - threads._threads
    idle.close()
    assert left == set()


SCRIPT = """
import signal, time
from watchbot.local.server import running_server
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` would have it ignored
with running_server() as url:
    print(url, flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""


def test_process_leaves_at_once_without_a_word_or_a_file(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        cloud = Cloud(process.stdout.readline().strip())
        queue_url = cloud.queue("q")
        topic_arn = cloud.topic("t", queue_url)
        cloud.sns.publish(TopicArn=topic_arn, Message="x")
        cloud.take_all(queue_url)
        with pytest.raises(ClientError):
            cloud.sqs.get_queue_url(QueueName="no such")
        answer = poll(cloud, threads, queue_url)

        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=SOON_S)
        cloud.sqs.close()
        cloud.sns.close()

    assert answer.result(SOON_S) == []
    assert (process.returncode, printed) == (0, ("", ""))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["server", "run", "scheduler"])
def test_missing_extra_is_named(module: str) -> None:
    script = f"import sys; sys.modules['moto'] = None; import watchbot.local.{module}"

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines()[-1] == (
        "watchbot.errors.MissingExtra: "
        f"an AWS of your own needs more packages: {how_to_add('local')}"
    )


# Who may ask


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Origin": "https://evil.example"}, "Origin"),
        ({"Origin": "null"}, "Origin"),
        ({"Host": "evil.example"}, "Host"),
        ({"Host": "127.0.0.1.evil.example:80"}, "Host"),
        ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site"),
    ],
)
def test_page_of_somebody_else_wipes_nothing(
    cloud: Cloud, headers: dict[str, str], said: str
) -> None:
    queue_url = cloud.queue("q")
    with closing(connect(cloud)) as page:
        page.request("POST", "/moto-api/reset", "a=1", headers)
        answer = page.getresponse()
        text = answer.read().decode()

    assert answer.status == 403
    assert said in text
    assert cloud.attributes(queue_url)


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://localhost:3000"}, {"Host": "localhost"}, {"Host": "bucket.localhost:4566"}],
)
def test_page_of_this_machine_may_ask(cloud: Cloud, headers: dict[str, str]) -> None:
    with closing(connect(cloud)) as page:
        page.request("GET", "/moto-api/data.json", headers=headers)
        assert page.getresponse().status == 200


@pytest.mark.parametrize("body", ["{bad", "[1]", "7"])
@pytest.mark.parametrize("service", ["AmazonSQS.SendMessage", "DynamoDB_20120810.PutItem"])
def test_body_that_is_no_json_object_is_refused_as_such(
    cloud: Cloud, service: str, body: str
) -> None:
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": service}
    with closing(http.client.HTTPConnection(cloud.url.removeprefix("http://"))) as connection:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        said = json.loads(answer.read())

    assert (answer.status, said["__type"]) == (400, "SerializationException")
    assert said["message"].startswith("the body is no JSON")
